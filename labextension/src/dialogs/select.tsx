import React from 'react';

/** One of several choices, as a list that opens. */
export function SelectField(props: {
  label: string;
  name: string;
  value: string;
  options: readonly (readonly [string, string])[];
  onChange?: (value: string) => void;
}): React.JSX.Element {
  return (
    <label className="jp-packager-field">
      <span className="jp-packager-field-label">{props.label}</span>
      <select
        className="jp-mod-styled"
        name={props.name}
        defaultValue={props.value}
        onChange={event => props.onChange?.(event.currentTarget.value)}
      >
        {props.options.map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
    </label>
  );
}

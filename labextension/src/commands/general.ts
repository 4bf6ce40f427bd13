import { packagerIcon } from '../icons';
import type { ICommandContext } from './context';
import { textArg, textArgs } from './context';
import { CommandIDs } from './ids';

/** Id of the sidebar, for those who want to show it. */
export const SIDEBAR_ID = 'packager-jupyter-sidebar';

/** Commands that belong to no section. */
export function addGeneralCommands(
  context: Omit<ICommandContext, 'client'>
): void {
  const { app, model, trans } = context;
  const { commands } = app;

  commands.addCommand(CommandIDs.show, {
    label: args =>
      textArg(args, 'at') === 'launcher'
        ? trans.__('Packager')
        : trans.__('Show Packager'),
    caption: trans.__('Show sources, packages and shares in the sidebar'),
    icon: packagerIcon,
    describedBy: textArgs({ at: 'Where it is offered: `launcher` or nothing' }),
    execute: () => {
      app.shell.activateById(SIDEBAR_ID);
    }
  });

  commands.addCommand(CommandIDs.cancelJob, {
    label: trans.__('Cancel'),
    caption: trans.__('Call work off; what it changed is rolled back'),
    describedBy: textArgs({ id: 'Id of the job' }),
    execute: async args => {
      const id = textArg(args, 'id');
      if (id) {
        await model.jobs.cancel(id);
      }
    }
  });
}

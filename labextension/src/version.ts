/** Version of this sidebar; the server half of the same version understands it. */
export const VERSION = '0.1.0';

// Errors that are the user's to mend: they are printed as one line without a stack and end the process with exit
// code 1. Every other Error is a bug or broken I/O.

/** A wrong command line, file or environment. `message` is one line; line breaks in it become spaces. */
export class UserError extends Error {
  override name = 'UserError';
  readonly exitCode: number = 1;

  constructor(message: string, options?: ErrorOptions) {
    super(message.replace(/\s*[\r\n]+\s*/g, ' '), options);
  }
}

/** Where in the configuration a word stands: path as the user gave it (imports: absolute), lines from 1. */
export interface CorefilePlace {
  readonly file: string;
  readonly line: number;
  /** The offending word, without its quotes; absent at the end of the file. */
  readonly word?: string | undefined;
}

/**
 * A configuration that cannot be used. The message is complete: `FILE:LINE - Error during parsing: TEXT`,
 * with `plugin/NAME: ` in front when a plugin refused it.
 */
export class CorefileError extends UserError {
  override name = 'CorefileError';
  readonly file: string;
  readonly line: number;
  readonly word: string | undefined;

  constructor(message: string, place: CorefilePlace, options?: ErrorOptions) {
    super(message, options);
    this.file = place.file;
    this.line = place.line;
    this.word = place.word;
  }
}

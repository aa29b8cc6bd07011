// What is wrong with the input of a call.

/** One fault of the input. It names the field and never repeats the value. */
export interface Fault {
  readonly field: string;
  readonly message: string;
}

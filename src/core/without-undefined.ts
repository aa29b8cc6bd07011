// For code that treats an absent field differently from an undefined one: Node's options, OpenTelemetry, changes that
// are spread over an existing object.

/** The fields that have a value. */
export function withoutUndefined<Fields extends object>(fields: Fields): Defined<Fields> {
  const defined = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(defined) as Defined<Fields>;
}

/** Fields with known names become optional; a record only loses undefined values. */
type Defined<Fields> = string extends keyof Fields
  ? { [Name in keyof Fields]-?: Exclude<Fields[Name], undefined> }
  : Partial<Fields>;

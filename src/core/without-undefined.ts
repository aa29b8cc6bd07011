// For readers who tell a field that is absent from one that is undefined: Node's options, OpenTelemetry, changes that are
// spread over what there was.

/** The fields that have a value. */
export function withoutUndefined<Fields extends object>(fields: Fields): Defined<Fields> {
  const defined = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(defined) as Defined<Fields>;
}

/** Fields whose names are known may be absent; a record has the others. */
type Defined<Fields> = string extends keyof Fields
  ? { [Name in keyof Fields]-?: Exclude<Fields[Name], undefined> }
  : Partial<Fields>;

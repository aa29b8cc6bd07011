// The signed sources as the vendor configured them: secrets by app and source, the Breez LNURL server's
// domains, bLIP-55's tolerance and methods, and generic sources.

import { z } from 'zod';
import { DOMAIN_SOURCE, type Domain, LSPS5_SOURCE, NOTIFY_DOOR } from '../core/devices/doors.ts';
import type { Source } from '../core/ports/source.ts';
import { DEFAULT_APP } from '../core/target.ts';
import { createSources } from '../sources/all-sources.ts';
import { type GenericConfig, genericConfig } from '../sources/generic-config.ts';
import { LSPS5_DEFAULTS, LSPS5_METHODS } from '../sources/lsps5.ts';
import { standardWebhooks } from '../sources/standard-webhooks.ts';
import type { Config } from './config.ts';
import { readNamedText } from './files.ts';
import { parsePastedJson } from './pasted-credentials.ts';

export interface SignedSources {
  readonly sources: ReadonlyMap<string, Source>;
  /** The configuration of the generic ones among them. */
  readonly generic: readonly GenericConfig[];
  readonly domains: ReadonlyMap<string, Domain>;
  readonly secretsOf: (app: string, source: string) => readonly string[];
  /** Types beside the built-in ones: those that generic sources name, and whether callers may name any. */
  readonly ownTypes: { readonly names: readonly string[]; readonly any: boolean };
}

const secretList = z.array(z.string().min(1)).min(1);
const shape = z.strictObject({
  secrets: z.record(z.string(), z.record(z.string(), secretList)).default({}),
  domains: z
    .record(
      z.string().regex(/^[a-z0-9.-]{1,253}$/, 'must be a domain in lower case'),
      z.strictObject({ app: z.string().default(DEFAULT_APP), secrets: secretList }),
    )
    .default({}),
  lsps5: z
    .strictObject({
      tolerance_seconds: z.int().min(1).max(86_400).nullable().default(600),
      methods: z.array(z.enum(LSPS5_METHODS)).optional(),
    })
    .default({ tolerance_seconds: 600 }),
  generic: z.array(genericConfig).default([]),
});

/** Reads NDS_SOURCES or the file of NDS_SOURCES_FILE, and adds what is wrong to `faults`. */
export function loadSources(
  config: Partial<Config>,
  faults: string[],
  { apps }: { readonly apps: readonly string[] },
): SignedSources {
  const faultsBefore = faults.length;
  const text = sourcesText(config, faults);
  const parsed = shape.safeParse(text === undefined ? {} : parseJson(text, config, faults));
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      faults.push(
        `NDS_SOURCES: ${issue.path.map(String).join('.') || 'the JSON'}: ${issue.message}`,
      );
    }
  }
  const given = parsed.success ? parsed.data : shape.parse({});
  const { tolerance_seconds: seconds, methods } = given.lsps5;
  const lsps5 = {
    toleranceMs: seconds === null ? undefined : seconds * 1_000,
    methods: methods ?? LSPS5_DEFAULTS.methods,
  };
  const sources = create({ lsps5, generic: given.generic }, faults);
  faults.push(...faultsOfSecrets(given, sources), ...faultsOfApps(given, apps));
  const takesAnyType = Object.values(given.secrets).some((bySource) =>
    Object.hasOwn(bySource, standardWebhooks.name),
  );
  return {
    sources,
    generic: given.generic,
    ownTypes: {
      names: given.generic.flatMap(({ type }) => Object.values(type.names)),
      // A part that could not be read may have named any type.
      any: takesAnyType || given.generic.length > 0 || faults.length > faultsBefore,
    },
    domains: new Map(Object.entries(given.domains)),
    secretsOf: (app, source) => {
      const ofApp = Object.hasOwn(given.secrets, app) ? given.secrets[app] : undefined;
      return ofApp !== undefined && Object.hasOwn(ofApp, source) ? (ofApp[source] ?? []) : [];
    },
  };
}

/** What is wrong with a secret of a source: with a malformed one every signed call would be 401. */
export function secretFaults(sources: ReadonlyMap<string, Source>) {
  return (source: string, secret: string) => sources.get(source)?.secretFault?.(secret);
}

/** The sources whose callers sign by a secret: of a device, or of an app. */
export function namesWithSecrets(sources: ReadonlyMap<string, Source>): readonly string[] {
  // bLIP-55 knows node ids instead, domains have their own, and the Breez family signs nothing.
  return [...sources.keys()].filter((name) => name !== DOMAIN_SOURCE && name !== LSPS5_SOURCE);
}

type Given = z.output<typeof shape>;

/** Calls signed with secrets under a misspelt name would always get 401. */
function faultsOfSecrets(
  { secrets }: Given,
  sources: ReadonlyMap<string, Source>,
): readonly string[] {
  const known = namesWithSecrets(sources);
  const faultOf = secretFaults(sources);
  return Object.entries(secrets).flatMap(([app, bySource]) =>
    Object.entries(bySource).flatMap(([source, list]) => {
      const where = `NDS_SOURCES: secrets.${app}.${source}`;
      if (sources.size > 0 && !known.includes(source)) {
        return [`${where}: is no source that has secrets; these have: ${known.join(', ')}`];
      }
      const faults = list.map((secret) => faultOf(source, secret));
      return faults.flatMap((fault, index) =>
        fault === undefined ? [] : [`${where}.${index}: ${fault}`],
      );
    }),
  );
}

function faultsOfApps({ secrets, domains }: Given, apps: readonly string[]): readonly string[] {
  // If there is no app at all, that is reported instead.
  if (apps.length === 0) return [];
  const named = [
    ...Object.keys(secrets).map((app) => [`secrets.${app}`, app] as const),
    ...Object.entries(domains).map(([name, { app }]) => [`domains.${name}.app`, app] as const),
  ];
  return named
    .filter(([, app]) => !apps.includes(app))
    .map(([where]) => `NDS_SOURCES: ${where}: there is no such app; there are: ${apps.join(', ')}`);
}

function create(
  options: Parameters<typeof createSources>[0],
  faults: string[],
): ReadonlyMap<string, Source> {
  // A generic source with the name of a door would share that door's handles.
  if (options.generic.some(({ name }) => name === NOTIFY_DOOR)) {
    faults.push(`NDS_SOURCES: a generic source must not be called ${NOTIFY_DOOR}`);
  }
  try {
    return createSources(options);
  } catch (error) {
    faults.push(`NDS_SOURCES: ${error instanceof Error ? error.message : 'is not usable'}`);
    return new Map();
  }
}

function sourcesText(config: Partial<Config>, faults: string[]): string | undefined {
  const { sources, sourcesFile: path } = config;
  if (sources !== undefined || path === undefined) return sources;
  return readNamedText({ name: 'NDS_SOURCES_FILE', path, forContent: 'use NDS_SOURCES' }, faults);
}

function parseJson(text: string, { sources }: Partial<Config>, faults: string[]): unknown {
  const isFile = sources === undefined;
  const parsed = parsePastedJson({ text, pathVariable: isFile ? undefined : 'NDS_SOURCES_FILE' });
  if ('json' in parsed) return parsed.json;
  faults.push(`${isFile ? 'the file of NDS_SOURCES_FILE' : 'NDS_SOURCES'} ${parsed.fault}`);
  return {};
}

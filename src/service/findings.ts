// Everything that an examination of the service can find: every code with its level and what to do.
// docs/troubleshooting.md lists this table.

export type Level = 'ok' | 'warning' | 'broken';

export interface Kind {
  readonly level: Level;
  /** Proves that the configuration is wrong, whatever the state of networks, clocks and disks: a deploy must end. */
  readonly endsDeploy?: true;
  readonly title: string;
  readonly remedy?: string;
}

export const FINDINGS = {
  settings_ok: { level: 'ok', title: 'Every setting can be used.' },
  settings_wrong: {
    level: 'broken',
    endsDeploy: true,
    title: 'A variable or a file of the configuration cannot be used; the service does not start.',
    remedy: 'Correct what the text names; `nds config` lists every variable.',
  },
  database_ok: { level: 'ok', title: 'The log can be read.' },
  database_new: { level: 'ok', title: 'There is no log yet; the first start makes one.' },
  database_wrong_secret: {
    level: 'broken',
    endsDeploy: true,
    title: 'The log was made under another secret.',
    remedy: 'Set NDS_SECRET to the value it was made with, or put that into NDS_SECRET_PREVIOUS.',
  },
  database_unusable: {
    level: 'broken',
    title: 'The log cannot be opened, read or written.',
    remedy: 'Do what the text says; docs/operating.md has the section The database.',
  },
  postgres_too_old: {
    level: 'broken',
    endsDeploy: true,
    title: 'The PostgreSQL is older than version 16.',
    remedy: 'Upgrade it to 16 or newer.',
  },
  postgres_read_only: {
    level: 'broken',
    title: 'The PostgreSQL takes no writes: it is a standby, or was made read-only.',
    remedy: 'Name the primary in NDS_DATABASE, or an address that follows it.',
  },
  postgres_encoding_wrong: {
    level: 'broken',
    endsDeploy: true,
    title: 'The database of the PostgreSQL is not in UTF-8.',
    remedy: "Make a new one: CREATE DATABASE nds ENCODING 'UTF8' TEMPLATE template0.",
  },
  postgres_rights_ok: { level: 'ok', title: 'The user of the PostgreSQL has the rights it needs.' },
  postgres_rights_missing: {
    level: 'broken',
    endsDeploy: true,
    title: 'The user of the PostgreSQL may not make, change, read or write the tables.',
    remedy: 'Make this user the owner of the database and of its tables.',
  },
  postgres_latency_ok: { level: 'ok', title: 'The PostgreSQL is near.' },
  postgres_far: {
    level: 'warning',
    title: 'The PostgreSQL is far away or slow: calls wait for it before their push.',
    remedy: 'Run machines and database in one region; look at the load of the database.',
  },
  postgres_clock_ok: { level: 'ok', title: 'The clock agrees with that of the PostgreSQL.' },
  postgres_clock_off: {
    level: 'warning',
    title: 'The clock of this machine differs from that of the PostgreSQL by more than 5 s.',
    remedy: 'Synchronise both: times in the log are those of the machine that wrote them.',
  },
  postgres_commits_ok: { level: 'ok', title: 'A commit of the PostgreSQL is on its disk.' },
  postgres_commits_unsafe: {
    level: 'warning',
    title: 'synchronous_commit is off: a crash of the PostgreSQL loses what was answered 200.',
    remedy: 'Set synchronous_commit to on, for the server or for this user and database.',
  },
  postgres_pooling_ok: { level: 'ok', title: 'Connected directly or through a fit pooler.' },
  postgres_pooling_wrong: {
    level: 'broken',
    endsDeploy: true,
    title: 'The pooler before the PostgreSQL works in statement mode.',
    remedy: 'Set pool_mode of PgBouncer to transaction.',
  },
  secret_ok: { level: 'ok', title: 'NDS_SECRET is set.' },
  secret_beside_database: {
    level: 'warning',
    title: 'NDS_SECRET is not set: a copy of the folder of the log has its key, too.',
    remedy: 'Set NDS_SECRET and restart: everything is encrypted again under it.',
  },
  disk_ok: { level: 'ok', title: 'The disk has room.' },
  disk_low: {
    level: 'warning',
    title: 'The disk of the log will soon be full.',
    remedy: 'Enlarge the volume or shorten NDS_RETENTION.',
  },
  disk_full: {
    level: 'broken',
    title: 'The disk of the log is full: what would have to wait is refused with 503.',
    remedy: 'Free some space or enlarge the volume.',
  },
  open_files_few: {
    level: 'warning',
    title: 'The operating system allows fewer open files than NDS_MAX_CONNECTIONS needs.',
    remedy:
      'Raise the limit where the service is started (systemd: LimitNOFILE, Docker: --ulimit nofile), or lower NDS_MAX_CONNECTIONS.',
  },
  clock_ok: { level: 'ok', title: 'The clock agrees with Google’s.' },
  clock_off: {
    level: 'warning',
    title: 'The clock of this machine differs from Google’s by more than 5 s.',
    remedy: 'Synchronise it: with a wrong clock Apple and Google refuse signatures.',
  },
  clock_unknown: {
    level: 'warning',
    title: 'Google did not answer, so the clock could not be compared.',
    remedy: 'See why Google cannot be reached: network, HTTPS_PROXY, firewall.',
  },
  external_url_ok: { level: 'ok', title: 'The service answers at its external URL.' },
  external_url_missing: {
    level: 'ok',
    title: 'NOTIFY_EXTERNAL_URL is not set: invoice requests are answered 502.',
  },
  external_url_silent: {
    level: 'warning',
    title: 'Nothing answers at NOTIFY_EXTERNAL_URL as seen from this machine.',
    remedy: 'Start the service; check DNS, proxy and certificate of that address.',
  },
  external_url_wrong: {
    level: 'warning',
    title: 'Something other than this service answers at NOTIFY_EXTERNAL_URL.',
    remedy: 'Correct the URL or the proxy in front: GET /healthz must reach the service.',
  },
  apns_proven: { level: 'ok', title: 'Apple accepts the key, its id and the team.' },
  apns_refused: {
    level: 'broken',
    endsDeploy: true,
    title: 'Apple refuses the key, its id, the team, the topic or the environment.',
    remedy: 'Compare the values in the text with Apple’s developer account.',
  },
  apns_key_refused: {
    level: 'warning',
    title: 'Apple refuses one of two keys; pushes go by the other.',
    remedy: 'Remove the refused key when the rotation is over, or compare it with Apple’s account.',
  },
  apns_clock: {
    level: 'broken',
    title: 'Apple refuses the signature, and the clock of this machine is wrong.',
    remedy: 'Synchronise the clock and look again.',
  },
  apns_unreachable: {
    level: 'broken',
    title: 'APNs cannot be reached or fails.',
    remedy: 'Check network, firewall and HTTPS_PROXY; look at developer.apple.com/system-status.',
  },
  apns_unclear: {
    level: 'warning',
    title: 'Apple’s answer proves nothing.',
    remedy: 'Look again in ten minutes; if it stays, report it with the reason in the text.',
  },
  apns_not_asked: {
    level: 'warning',
    title:
      'Apple was not asked: it was asked less than 10 minutes ago, or the time of asking cannot be stored.',
    remedy:
      'Look again later. If it stays: make the folder of NDS_DATABASE writable, or start a machine, which makes the tables of an empty PostgreSQL.',
  },
  fcm_proven: { level: 'ok', title: 'Google accepts the credential for the project.' },
  fcm_refused: {
    level: 'broken',
    endsDeploy: true,
    title: 'Google refuses the credential, or the credential for this project.',
    remedy: 'Compare the projects in the text with the Firebase console.',
  },
  fcm_no_credentials: {
    level: 'broken',
    title: 'No service account is configured, and this machine has no credentials of its own.',
    remedy:
      'Set GOOGLE_APPLICATION_CREDENTIALS or GOOGLE_APPLICATION_CREDENTIALS_JSON, or run where Google’s metadata server answers.',
  },
  fcm_clock: {
    level: 'broken',
    title: 'Google refuses the signature, and the clock of this machine is wrong.',
    remedy: 'Synchronise the clock and look again.',
  },
  fcm_unreachable: {
    level: 'broken',
    title: 'FCM or Google’s token endpoint cannot be reached or fails.',
    remedy: 'Check network, firewall and HTTPS_PROXY; look at status.firebase.google.com.',
  },
  fcm_unclear: {
    level: 'warning',
    title: 'Google’s answer proves nothing.',
    remedy: 'Look again in some minutes; if it stays, report it with the reason in the text.',
  },
  endpoint_address_ok: { level: 'ok', title: 'Events may go to the address of the endpoint.' },
  endpoint_address_refused: {
    level: 'warning',
    title: 'Events may not go to the address of an endpoint, or its name cannot be looked up.',
    remedy:
      'Correct the URL, its name in DNS, or NDS_ENDPOINT_NETWORKS; docs/events.md has the rule.',
  },
  service_ready: { level: 'ok', title: 'The running service can deliver.' },
  service_silent: { level: 'ok', title: 'No service can be asked how it is.' },
  service_degraded: {
    level: 'warning',
    title: 'The running service delivers, and reports a problem.',
    remedy: 'Do what the text says; docs/troubleshooting.md explains it under Readyz is red.',
  },
  service_hangs: {
    level: 'broken',
    title: 'The service runs, and does not answer.',
    remedy: 'Look at the load of the machine; end the service and start it again.',
  },
  service_not_ready: {
    level: 'broken',
    title: 'The running service reports that it is not ready.',
    remedy: 'Do what the text says; docs/troubleshooting.md explains it under Readyz is red.',
  },
  check_failed: {
    level: 'warning',
    title: 'A check failed because of an internal error.',
    remedy: 'Please report it with the text.',
  },
} as const satisfies Record<string, Kind>;

export type FindingCode = keyof typeof FINDINGS;

export interface Finding {
  /** What was checked: `settings`, `database`, `default/apns`. */
  readonly check: string;
  readonly code: FindingCode;
  /** What was found, with the values that matter; no secrets. */
  readonly text: string;
  /** What to do, if it is more specific than the code's own remedy. */
  readonly remedy?: string | undefined;
}

export function levelOf({ code }: Finding): Level {
  return FINDINGS[code].level;
}

export function remedyOf({ code, remedy }: Finding): string | undefined {
  const kind: Kind = FINDINGS[code];
  return remedy ?? kind.remedy;
}

/** Whether it must end a deploy before the old machine stops. */
export function endsDeploy({ code }: Finding): boolean {
  const kind: Kind = FINDINGS[code];
  return kind.endsDeploy === true;
}

// What the operators' routes need, put together by the service.

import type { Endpoints } from '../../core/events/endpoints.ts';
import type { Names } from '../../core/finding/question.ts';
import type { LiveEvents } from '../../core/operating/live-events.ts';
import type { Operations } from '../../core/operating/operations.ts';
import type { TestPushParts } from '../../core/operating/test-push.ts';
import type { Clock } from '../../core/ports/clock.ts';
import type { LogReader } from '../../core/ports/log.ts';
import type { OperatingStore } from '../../core/ports/operating.ts';
import type { Store } from '../../core/ports/store.ts';
import type { ApnsEnvironment, ProviderName } from '../../core/target.ts';
import type { DevicesParts } from '../devices/routes.ts';

export interface AppState {
  readonly name: string;
  readonly providers: {
    readonly name: ProviderName;
    readonly environment?: ApnsEnvironment | undefined;
    readonly status: 'ready' | 'degraded' | 'broken';
    readonly detail?: string | undefined;
  }[];
}

export interface Reloaded {
  readonly opened: readonly string[];
  readonly closed: readonly string[];
  readonly kept: readonly string[];
  readonly needs_restart: readonly string[];
}

export interface OperatorParts {
  readonly clock: Clock;
  readonly store: Pick<Store, 'findDeliveries'>;
  readonly operating: OperatingStore;
  readonly operations: Operations;
  readonly testPush: TestPushParts;
  readonly devices: DevicesParts;
  readonly events: LiveEvents;
  readonly endpoints: Endpoints;
  readonly log: LogReader;
  /** Makes the fingerprints that are the keys of the log. */
  readonly findNames: () => Names;
  readonly retentionMs: number;
  /** Of all apps that are configured now. */
  readonly appNames: () => readonly string[];
  readonly apps: () => readonly AppState[];
  /** Rejects with `reload_failed`. */
  readonly reload: () => Promise<Reloaded>;
  /** An operator changed something. */
  readonly onAction: (action: OperatorAction) => void;
}

/** For the log: who did what, but not to which user or device. */
export interface OperatorAction {
  readonly by: string;
  readonly method: string;
  /** The route's pattern. */
  readonly route: string;
}

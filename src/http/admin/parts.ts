// What the page needs, put together by the service.

import type { HistoryReader } from '../../core/finding/history.ts';
import type { DeviceStore } from '../../core/ports/devices.ts';
import type { MachineList } from '../../core/ports/peers.ts';
import type { DescribedCalls } from '../../core/ports/source-description.ts';
import type { WakeHistory } from '../../core/receipts/history.ts';
import type { ProviderName, Target } from '../../core/target.ts';
import type { Readiness } from '../health.ts';
import type { OperatorParts } from '../operator/parts.ts';
import type { AccessParts } from './access.ts';
import type { AdminPage } from './page.ts';
import type { SignIn } from './sign-in.ts';
import type { ShownProof } from './views/callers-view.ts';

export interface AdminParts {
  readonly access: AccessParts;
  readonly signIn: SignIn;
  readonly page: AdminPage;
  readonly operator: OperatorParts;
  readonly devices: Pick<DeviceStore, 'findDevice'>;
  readonly readiness: () => Readiness;
  readonly history: HistoryReader;
  /** The machines that share the store; absent if none do. */
  readonly machineList?: MachineList | undefined;
  readonly lanes: () => readonly {
    readonly app: string;
    readonly provider: ProviderName;
    readonly inFlight: number;
  }[];
  /** All notification types. */
  readonly typeNames: () => readonly string[];
  /** One for each key that was checked. */
  readonly proofsOf: (app: string, provider: ProviderName) => readonly ShownProof[];
  /** How a phone woke recently, if it sends receipts. */
  readonly wakesOf: (target: Target) => Promise<WakeHistory | undefined>;
  readonly describeCalls: () => DescribedCalls;
}

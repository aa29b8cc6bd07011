// What is known at the moment of a scrape about providers and tokens.

import { Counter, Gauge, type Registry } from '@prometheus-io/client';
import type { Skew } from '../../core/sending/attempts.ts';
import type { Lane } from '../../core/sending/lane.ts';
import type { Doubt } from '../../core/tokens/doubt.ts';
import type { Quarantine } from '../../core/tokens/quarantine.ts';

export interface LaneGaugesParts {
  /** The current ones: a reload may add and remove some. */
  readonly lanes: () => readonly Lane[];
  readonly quarantine: Quarantine;
  readonly doubt: Doubt;
  readonly skew: Skew;
}

/** Returns a function that reads all of them. */
export function createLaneGauges(registry: Registry, parts: LaneGaugesParts): () => void {
  const { quarantine, doubt, skew } = parts;
  const registers = [registry];
  const breakers = new Gauge({
    name: 'nds_breaker_status',
    help: 'Apps whose breaker at the provider is in this state: open while the provider fails or does not answer.',
    labelNames: ['provider', 'state'],
    registers,
  });
  const streams = new Gauge({
    name: 'nds_streams',
    help: 'Open HTTP/2 streams: pushes that wait for the provider’s answer.',
    labelNames: ['app', 'provider'],
    registers,
  });
  const connections = new Counter({
    name: 'nds_connections_total',
    help: 'Connections to the provider that were opened, or failed to open.',
    labelNames: ['app', 'provider', 'result'],
    registers,
  });
  const stopped = new Gauge({
    name: 'nds_condemning_stopped',
    help: '1 while dead tokens are blamed on the configuration and none is quarantined.',
    labelNames: ['app', 'provider'],
    registers,
  });
  const quarantined = new Gauge({
    name: 'nds_tokens_quarantined',
    help: 'Tokens that are refused without asking the provider.',
    registers,
  });
  const clockSkew = new Gauge({
    name: 'nds_clock_skew_seconds',
    help: 'How far Google’s clock is ahead of this machine’s; whole seconds, 0 before the first answer.',
    registers,
  });

  return () => {
    const lanes = parts.lanes();
    for (const gauge of [breakers, streams, stopped]) gauge.reset();
    const names = new Set(lanes.map(({ provider }) => provider.name));
    for (const name of names) {
      const open = lanes.filter((lane) => lane.provider.name === name && lane.isOpen).length;
      const all = lanes.filter((lane) => lane.provider.name === name).length;
      breakers.set({ provider: name, state: 'open' }, open);
      breakers.set({ provider: name, state: 'closed' }, all - open);
    }
    connections.reset();
    for (const { app, provider } of lanes) {
      const labels = { app, provider: provider.name };
      const traffic = provider.traffic();
      streams.set(labels, traffic.streams);
      connections.inc({ ...labels, result: 'opened' }, traffic.connectionsOpened);
      connections.inc({ ...labels, result: 'failed' }, traffic.connectionsFailed);
      stopped.set(labels, doubt.doubtsDeaths(app, provider.name) ? 1 : 0);
    }
    quarantined.set(quarantine.countRefused());
    clockSkew.set(Math.round(skew.offsetMs / 1_000));
  };
}

// What is known at the moment of a scrape about this process.

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, type Registry } from '@prometheus-io/client';
import type { Clock } from '../../core/ports/clock.ts';

export interface Build {
  readonly version: string;
  readonly node: string;
  readonly sqlite: string;
}

const RESOLUTION_MS = 20;
const NANOSECONDS = 1e9;
const MICROSECONDS = 1e6;

export interface ProcessGaugesParts {
  readonly clock: Clock;
  readonly build: Build;
  /** The name of this machine among those that share the database. */
  readonly owner?: string | undefined;
}

export interface ProcessGauges {
  collect(): void;
  stop(): void;
}

export function createProcessGauges(
  registry: Registry,
  { build, owner = 'alone', clock }: ProcessGaugesParts,
): ProcessGauges {
  const registers = [registry];
  const lag = new Gauge({
    name: 'nds_eventloop_lag_seconds',
    help: 'The longest delay of the event loop since the last scrape.',
    registers,
  });
  const info = new Gauge({
    name: 'nds_build_info',
    help: 'Always 1; the labels are versions.',
    labelNames: ['version', 'node', 'sqlite'],
    registers,
  });
  const machine = new Gauge({
    name: 'nds_node_info',
    help: 'Always 1; the label is this machine’s name in the table nodes, or alone over an SQLite file.',
    labelNames: ['node'],
    registers,
  });
  const memory = new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Resident memory.',
    registers,
  });
  const started = new Gauge({
    name: 'process_start_time_seconds',
    help: 'When the process started, Unix time.',
    registers,
  });
  const cpu = new Counter({
    name: 'process_cpu_seconds_total',
    help: 'CPU time of all threads.',
    registers,
  });
  info.set({ ...build }, 1);
  machine.set({ node: owner }, 1);
  started.set(clock.wallMs() / 1_000 - process.uptime());
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delays.enable();

  return {
    collect: () => {
      // Each measurement includes the time for which the timer was meant to sleep.
      lag.set(Math.max(0, delays.max / NANOSECONDS - RESOLUTION_MS / 1_000));
      delays.reset();
      memory.set(process.memoryUsage.rss());
      const { user, system } = process.cpuUsage();
      cpu.reset();
      cpu.inc((user + system) / MICROSECONDS);
    },
    stop: () => delays.disable(),
  };
}

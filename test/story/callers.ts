// Failures of one phone or one caller: what a support question is about.

import { send } from '../support/callers.ts';
import { deleteDevice, registerPhone, wake } from '../support/device-calls.ts';
import { createWallet } from '../support/lightning-wallet.ts';
import { pathOf } from '../support/registry.ts';
import { ANDROID_TOKEN, IOS_TOKEN, notifyPath } from '../support/service.ts';
import { lsps5Call } from '../support/signed-calls.ts';
import { inMetrics, open, type Story } from './stage.ts';

export const CALLERS: readonly Story[] = [
  {
    failure: 'the token is dead',
    shows: [{ where: '/metrics', code: 'nds_deliveries_total{status="unregistered"}' }],
    names: /is 1/,
    happens: async (onEnd) => {
      const running = await open(onEnd);
      const fault = { kind: 'reason', reason: 'Unregistered' } as const;
      running.sandbox.script({ provider: 'apns', fault });
      await running.notify(IOS_TOKEN, 'aa');
      return [await inMetrics(running, 'nds_deliveries_total', { status: 'unregistered' })];
    },
  },
  {
    failure: 'a caller in a loop uses up a phone’s rate',
    shows: [{ where: '/metrics', code: 'nds_refusals_total{code="rate_limited"}' }],
    names: /is 1/,
    happens: async (onEnd) => {
      const running = await open(onEnd, { environment: { NDS_TOKEN_RATE: '1/0.001' } });
      await running.notify(ANDROID_TOKEN, 'aa');
      await running.notify(ANDROID_TOKEN, 'bb');
      return [await inMetrics(running, 'nds_refusals_total', { code: 'rate_limited' })];
    },
  },
  {
    failure: 'the LSP signs with another key',
    shows: [
      {
        where: '/metrics',
        code: 'nds_signature_failures_total{source="lsps5",cause="bad_signature"}',
      },
    ],
    names: /is 1/,
    happens: async (onEnd) => {
      const running = await open(onEnd);
      const device = await registerPhone(running, { lsp_node_ids: [createWallet(1).publicKey] });
      const { secretKey } = createWallet(2);
      const call = { path: pathOf(device, 'lsps5'), secretKey };
      await send(running.service.url, lsps5Call(call, { atMs: Date.now() }));
      const labels = { source: 'lsps5', cause: 'bad_signature' };
      return [await inMetrics(running, 'nds_signature_failures_total', labels)];
    },
  },
  {
    failure: 'the URL was revoked',
    shows: [{ where: '/metrics', code: 'nds_refusals_total{code="unknown_handle"}' }],
    names: /is 1/,
    happens: async (onEnd) => {
      const running = await open(onEnd);
      const device = await registerPhone(running);
      await deleteDevice(running, device.id);
      await wake(running, device, 'aa');
      return [await inMetrics(running, 'nds_refusals_total', { code: 'unknown_handle' })];
    },
  },
  {
    failure: 'Apple holds back the pushes of one phone',
    shows: [
      { where: '/metrics', code: 'nds_attempts_total{provider="apns",reason="TooManyRequests"}' },
    ],
    names: /is \d/,
    happens: async (onEnd) => {
      const running = await open(onEnd);
      const fault = { kind: 'reason', reason: 'TooManyRequests' } as const;
      running.sandbox.script({ provider: 'apns', times: 10, fault });
      await running.notify(IOS_TOKEN, 'aa');
      const labels = { provider: 'apns', reason: 'TooManyRequests' };
      return [await inMetrics(running, 'nds_attempts_total', labels)];
    },
  },
  {
    failure: 'the app does not know the type',
    shows: [{ where: '/metrics', code: 'nds_refusals_total{code="type_not_supported"}' }],
    names: /is 1/,
    happens: async (onEnd) => {
      const NDS_APPS = JSON.stringify({ default: { types: ['tx_confirmed'] } });
      const running = await open(onEnd, { environment: { NDS_APPS } });
      await running.notify(ANDROID_TOKEN, 'aa');
      return [await inMetrics(running, 'nds_refusals_total', { code: 'type_not_supported' })];
    },
  },
  {
    failure: 'app_data makes the push too big',
    shows: [{ where: '/metrics', code: 'nds_refusals_total{code="push_too_large"}' }],
    names: /is 1/,
    happens: async (onEnd) => {
      const running = await open(onEnd);
      const path = notifyPath(ANDROID_TOKEN, { app_data: 'x'.repeat(4_096) });
      const body = { template: 'payment_received', data: { payment_hash: 'aa' } };
      await running.post(path, JSON.stringify(body));
      return [await inMetrics(running, 'nds_refusals_total', { code: 'push_too_large' })];
    },
  },
];

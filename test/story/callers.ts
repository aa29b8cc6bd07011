// Failures of one phone or one caller: the usual causes of support questions.

import { send } from '../support/callers.ts';
import { deleteDevice, registerPhone, wake } from '../support/device-calls.ts';
import { createWallet } from '../support/lightning-wallet.ts';
import { pathOf } from '../support/registry.ts';
import { ANDROID_TOKEN, IOS_TOKEN, notifyPath } from '../support/service.ts';
import { lsps5Call } from '../support/signed-calls.ts';
import { byFind, inMetrics, open, type Story } from './stage.ts';

/** What the caller names when it asks about its payment. */
const HASH = '4bb06f8e4e3a7715d201d573d0aa423762e55dabd61a2c02278fa56cc6d294e0';

export const CALLERS: readonly Story[] = [
  {
    failure: 'the token is dead',
    shows: [
      { where: 'nds find', code: 'token_dead' },
      { where: '/metrics', code: 'nds_deliveries_total{status="unregistered"}' },
    ],
    names: /Unregistered/,
    happens: async (onEnd) => {
      const running = await open(onEnd);
      const fault = { kind: 'reason', reason: 'Unregistered' } as const;
      running.sandbox.script({ provider: 'apns', fault });
      await running.notify(IOS_TOKEN, HASH);
      return [
        await byFind(running, HASH),
        await inMetrics(running, 'nds_deliveries_total', { status: 'unregistered' }),
      ];
    },
  },
  {
    failure: 'a caller in a loop uses up a phone’s rate',
    shows: [
      { where: 'nds find', code: 'refused_rate_limited' },
      { where: '/metrics', code: 'nds_refusals_total{code="rate_limited"}' },
    ],
    names: /429 rate_limited .*token_rate/i,
    happens: async (onEnd) => {
      const running = await open(onEnd, { environment: { NDS_TOKEN_RATE: '1/0.001' } });
      await running.notify(ANDROID_TOKEN, 'aa');
      await running.notify(ANDROID_TOKEN, HASH);
      return [
        await byFind(running, HASH),
        await inMetrics(running, 'nds_refusals_total', { code: 'rate_limited' }),
      ];
    },
  },
  {
    failure: 'the LSP signs with another key',
    shows: [
      { where: 'nds find', code: 'refused_bad_signature' },
      {
        where: '/metrics',
        code: 'nds_signature_failures_total{source="lsps5",cause="bad_signature"}',
      },
    ],
    names: /signed by the node [0-9a-f]{12}…, which this device does not allow/,
    happens: async (onEnd) => {
      const running = await open(onEnd);
      const device = await registerPhone(running, { lsp_node_ids: [createWallet(1).publicKey] });
      const { secretKey } = createWallet(2);
      const call = { path: pathOf(device, 'lsps5'), secretKey };
      await send(running.service.url, lsps5Call(call, { atMs: Date.now() }));
      const labels = { source: 'lsps5', cause: 'bad_signature' };
      return [
        await byFind(running, device.id),
        await inMetrics(running, 'nds_signature_failures_total', labels),
      ];
    },
  },
  {
    failure: 'the LSP never called',
    shows: [{ where: 'nds find', code: 'never_called' }],
    names: /^Never called since /,
    happens: async (onEnd) => {
      const running = await open(onEnd);
      const device = await registerPhone(running);
      // Another phone gets its payment meanwhile.
      await running.notify(IOS_TOKEN, HASH);
      return [await byFind(running, device.id)];
    },
  },
  {
    failure: 'the call came to another service',
    shows: [{ where: 'nds find', code: 'nothing_known' }],
    names: /no call that names it came since /,
    happens: async (onEnd) => {
      const running = await open(onEnd);
      await running.notify(IOS_TOKEN, HASH);
      return [await byFind(running, HASH.replaceAll('4', '5'))];
    },
  },
  {
    failure: 'the URL was revoked',
    shows: [
      { where: 'nds find', code: 'refused_unknown_handle' },
      { where: '/metrics', code: 'nds_refusals_total{code="unknown_handle"}' },
    ],
    names: /404 unknown_handle/,
    happens: async (onEnd) => {
      const running = await open(onEnd);
      const device = await registerPhone(running);
      await deleteDevice(running, device.id);
      await wake(running, device, HASH);
      return [
        await byFind(running, device.urls.notify ?? ''),
        await inMetrics(running, 'nds_refusals_total', { code: 'unknown_handle' }),
      ];
    },
  },
  {
    failure: 'Apple holds back the pushes of one phone',
    shows: [
      { where: 'nds find', code: 'queued_throttled' },
      { where: '/metrics', code: 'nds_attempts_total{provider="apns",reason="TooManyRequests"}' },
    ],
    names: /TooManyRequests/,
    happens: async (onEnd) => {
      const running = await open(onEnd);
      const fault = { kind: 'reason', reason: 'TooManyRequests' } as const;
      running.sandbox.script({ provider: 'apns', times: 10, fault });
      await running.notify(IOS_TOKEN, HASH);
      const labels = { provider: 'apns', reason: 'TooManyRequests' };
      return [await byFind(running, HASH), await inMetrics(running, 'nds_attempts_total', labels)];
    },
  },
  {
    failure: 'the app does not know the type',
    shows: [
      { where: 'nds find', code: 'refused_type_not_supported' },
      { where: '/metrics', code: 'nds_refusals_total{code="type_not_supported"}' },
    ],
    names: /422 type_not_supported/,
    happens: async (onEnd) => {
      const NDS_APPS = JSON.stringify({ default: { types: ['tx_confirmed'] } });
      const running = await open(onEnd, { environment: { NDS_APPS } });
      await running.notify(ANDROID_TOKEN, HASH);
      return [
        await byFind(running, ANDROID_TOKEN),
        await inMetrics(running, 'nds_refusals_total', { code: 'type_not_supported' }),
      ];
    },
  },
  {
    failure: 'app_data makes the push too big',
    shows: [
      { where: 'nds find', code: 'refused_push_too_large' },
      { where: '/metrics', code: 'nds_refusals_total{code="push_too_large"}' },
    ],
    names: /413 push_too_large/,
    happens: async (onEnd) => {
      const running = await open(onEnd);
      const path = notifyPath(ANDROID_TOKEN, { app_data: 'x'.repeat(4_096) });
      const body = { template: 'payment_received', data: { payment_hash: HASH } };
      await running.post(path, JSON.stringify(body));
      return [
        await byFind(running, HASH),
        await inMetrics(running, 'nds_refusals_total', { code: 'push_too_large' }),
      ];
    },
  },
];

import { expect, test } from 'vitest';
import { CATALOGUE, completeNotification } from '../../src/core/notification.ts';
import type { Source } from '../../src/core/ports/source.ts';
import { epay } from '../../src/sources/epay.ts';
import { paymentApi, paymentflow } from '../../src/sources/payment-events.ts';
import { resmic } from '../../src/sources/resmic.ts';
import { sparkPaymentReceived } from '../../src/sources/spark-payment-received.ts';
import { sparkSsp } from '../../src/sources/spark-ssp.ts';
import { call, codeOf, credentials, hmacHex, notificationOf, requestOf } from './calls.ts';

const SECRET = 'correct horse';
const HEADERS: Readonly<Record<string, string>> = {
  spark_ssp: 'x-spark-signature',
  spark_payment_received: 'x-breez-signature',
  resmic: 'x-signature',
  paymentflow: 'paymentflow-signature',
  payment_api: 'payment-signature',
  epay: 'x-none',
};

function send(source: Source, body: string | object, signed?: string) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const headers = { [HEADERS[source.name] ?? '']: hmacHex(SECRET, signed ?? text) };
  return call(source, requestOf({ headers, body: text }), credentials({ secrets: [SECRET] }));
}

function fieldsOf(source: Source, body: string | object): readonly string[] {
  const result = send(source, body);
  expect(codeOf(result)).toBe('bad_body');
  return 'error' in result ? (result.error.details.faults ?? []).map(({ field }) => field) : [];
}

const RECEIVE = {
  id: 'r1',
  network: 'MAINNET',
  request_status: 'SUCCEEDED',
  status: 'TRANSFER_COMPLETED',
  type: 'SPARK_LIGHTNING_RECEIVE_FINISHED',
  timestamp: '2025-08-01T11:59:56Z',
  payment_preimage: '07'.repeat(32),
  htlc_amount: { value: 1, unit: 'SATOSHI' },
};

const SPARK_PAYMENT = {
  payment_hash: 'aa',
  user_pubkey: '02bb',
  invoice: 'lnbc1',
  preimage: '07'.repeat(32),
  amount_sat: 1,
  lightning_address: null,
  sender_comment: null,
  timestamp: 1,
};

const EVENT = {
  id: 'evt_1',
  type: 'payment.succeeded',
  data: { object: { id: 'pay_1', amount: 5, currency: 'usd', status: 'succeeded' } },
};

const EPAY = { success: true, transaction: { reference: 'r', status: 'success', amount: '1' } };

test.each(['FAILED', 'CANCELED', 'CANCELLED', 'LIGHTNING_PAYMENT_FAILED'])(
  'Spark: %s does not count as success, and may lack what never existed',
  (word) => {
    const { payment_preimage: _preimage, ...rest } = RECEIVE;
    for (const body of [
      { ...RECEIVE, request_status: word },
      { ...rest, status: word },
      { ...rest, status: word, htlc_amount: null, payment_preimage: null },
    ]) {
      const notification = completeNotification(notificationOf(send(sparkSsp, body)), CATALOGUE);
      expect(notification).toMatchObject({
        title: 'Payment failed',
        type: 'spark_lightning_receive_finished',
      });
      expect(notification.payload).toContain(word);
    }
  },
);

test.each([
  'SPARK_LIGHTNING_RECEIVE_FINISHED',
  'SPARK_LIGHTNING_SEND_FINISHED',
  'SPARK_COOP_EXIT_FINISHED',
  'SPARK_STATIC_DEPOSIT_FINISHED',
])('Spark: %s needs an id and a type; everything else may be absent or null', (type) => {
  const optional = [
    ...['network', 'request_status', 'status', 'timestamp', 'htlc_amount', 'payment_preimage'],
    ...['invoice_amount', 'total_amount', 'coop_exit_txid', 'credit_amount', 'transaction_id'],
    'output_index',
  ];
  const nulls = Object.fromEntries(optional.map((name) => [name, null]));
  for (const body of [
    { id: 'a', type },
    { id: 'a', type, ...nulls },
  ]) {
    const { payload, subject, title } = notificationOf(send(sparkSsp, body));
    expect(payload).toBe(`{"id":"a","type":"${type}"}`);
    expect(subject).toBe('a');
    expect(title).toBeUndefined();
  }
  expect(fieldsOf(sparkSsp, { type, ...nulls })).toEqual(['id']);
});

test('Spark: fields that are present must be well formed', () => {
  expect(fieldsOf(sparkSsp, { ...RECEIVE, htlc_amount: 5 })).toEqual([
    'htlc_amount.value',
    'htlc_amount.unit',
  ]);
  expect(fieldsOf(sparkSsp, { ...RECEIVE, htlc_amount: { value: 1.5, unit: 'x' } })).toEqual([
    'htlc_amount.value',
  ]);
  expect(fieldsOf(sparkSsp, { ...RECEIVE, id: '', network: 1 })).toEqual(['id', 'network']);
});

test('Spark: amounts keep their digits up to 64 bits', () => {
  const body = JSON.stringify(RECEIVE);
  const max = body.replace('"value":1', '"value":18446744073709551615');
  expect(notificationOf(send(sparkSsp, max)).payload).toContain('"value":18446744073709551615');
  const more = body.replace('"value":1', '"value":18446744073709551616');
  expect(fieldsOf(sparkSsp, more)).toEqual(['htlc_amount.value']);
});

test('Spark: no preimage, no fee and no address in the push; the hash can be searched for', () => {
  const body = {
    ...RECEIVE,
    fee: { value: 1, unit: 'SATOSHI' },
    receiver_identity_public_key: 'k',
  };
  const { payload, subject } = notificationOf(send(sparkSsp, body));
  expect(payload).not.toMatch(/preimage|0707|fee|receiver/);
  expect(subject).toMatch(/^4bb06f8e/);
});

test('Spark: a repeat is recognised by id and type for seven days', () => {
  const { duplicateOf } = notificationOf(send(sparkSsp, RECEIVE));
  expect(duplicateOf).toEqual({
    key: '["r1","SPARK_LIGHTNING_RECEIVE_FINISHED"]',
    windowMs: 7 * 24 * 3_600_000,
  });
});

test('Spark: unknown types are taken without reading the rest', () => {
  for (const type of ['SPARK_NEW', 'spark_coop_exit_finished', '__proto__', 'toString']) {
    expect(codeOf(send(sparkSsp, { type }))).toBe('ignored');
  }
});

test('Breez LNURL: the device is found by the wallet’s key, the repeat for 90 days', () => {
  const body = { template: 'spark_payment_received', data: SPARK_PAYMENT };
  const result = send(sparkPaymentReceived, body);
  expect(result).toMatchObject({ parsed: { user: '02bb' } });
  expect(notificationOf(result)).toMatchObject({
    payload: '{"amount_sat":1,"payment_hash":"aa","timestamp":1,"user_pubkey":"02bb"}',
    subject: 'aa',
    duplicateOf: { key: '["02bb","aa"]', windowMs: 90 * 24 * 3_600_000 },
  });
});

test('Breez LNURL: everything permanent is answered 200', () => {
  expect(sparkPaymentReceived.statuses).toEqual({
    unknown_user: 200,
    token_unregistered: 200,
    token_rejected: 200,
    message_rejected: 200,
    push_too_large: 200,
    type_not_supported: 200,
  });
});

test('Breez LNURL: names each fault, and requires fields that are not shown, too', () => {
  const template = 'spark_payment_received';
  const { invoice: _invoice, preimage: _preimage, ...rest } = SPARK_PAYMENT;
  expect(fieldsOf(sparkPaymentReceived, { template, data: rest })).toEqual([
    'data.invoice',
    'data.preimage',
  ]);
  expect(fieldsOf(sparkPaymentReceived, { template })).toEqual(['data']);
  expect(fieldsOf(sparkPaymentReceived, { template, data: [] })).toEqual(['data']);
  expect(fieldsOf(sparkPaymentReceived, { data: SPARK_PAYMENT })).toEqual(['template']);
  const data = { ...SPARK_PAYMENT, amount_sat: -1, timestamp: null, sender_comment: 5 };
  expect(fieldsOf(sparkPaymentReceived, { template, data })).toEqual([
    'data.amount_sat',
    'data.sender_comment',
    'data.timestamp',
  ]);
});

test('Resmic: success and failure of one session are two notifications', () => {
  const succeeded = notificationOf(send(resmic, { session_id: 's', status: true }));
  const failed = notificationOf(send(resmic, { session_id: 's', status: false }));
  const paid = { session_id: 's', status: true, transaction_hash: '0xab' };
  expect([succeeded.subject, notificationOf(send(resmic, paid)).subject]).toEqual(['s', '0xab']);
  expect([succeeded.type, failed.type]).toEqual(['payment_succeeded', 'payment_failed']);
  expect(succeeded.duplicateOf?.key).not.toBe(failed.duplicateOf?.key);
  expect(fieldsOf(resmic, { session_id: 's', status: 1, amount: 20, token: {} })).toEqual([
    'status',
    'amount',
    'token',
  ]);
});

test('Resmic: if the signature covers the values, only the values count', () => {
  const signed = '{"session_id":"s","status":false}';
  const twice = '{"status":true,"session_id":"s","status":false}';
  // JSON.parse keeps the last of two, at the place of the first one.
  expect(codeOf(send(resmic, twice, signed))).toBe('bad_signature');
  const reordered = '{"session_id":"x","session_id":"s","status":false}';
  expect(notificationOf(send(resmic, reordered, signed)).type).toBe('payment_failed');
});

test.each([paymentflow, paymentApi])(
  '$name: the event’s id is the key, under its own name',
  (source) => {
    expect(notificationOf(send(source, EVENT))).toMatchObject({
      type: 'payment_succeeded',
      subject: 'pay_1',
      duplicateOf: { key: JSON.stringify([source.name, 'evt_1']), windowMs: 7 * 24 * 3_600_000 },
    });
    expect(codeOf(send(source, { type: 'toString' }))).toBe('ignored');
  },
);

test('PaymentFlow: amounts are whole numbers that can be written as they came', () => {
  const withAmount = (amount: string) =>
    JSON.stringify(EVENT).replace('"amount":5', `"amount":${amount}`);
  for (const wrong of ['1.5', '"5"', 'null', '9007199254740993', '1e400', '9'.repeat(400)]) {
    expect(fieldsOf(paymentflow, withAmount(wrong)), wrong).toEqual(['data.object.amount']);
  }
  expect(notificationOf(send(paymentflow, withAmount('-5'))).payload).toContain('"amount":-5,');
});

test('PaymentFlow: digits that are not signed do not get into the push', () => {
  const body = JSON.stringify(EVENT).replace('"amount":5', '"amount":5.00000000000000000001');
  expect(notificationOf(send(paymentflow, body, JSON.stringify(EVENT))).payload).toContain(
    '"amount":5,',
  );
});

test('Epay: success and status must not contradict each other', () => {
  const withWords = (success: boolean, status: string) =>
    send(epay, { success, transaction: { ...EPAY.transaction, status } });
  const outcome = (success: boolean, status: string) => {
    const result = withWords(success, status);
    return codeOf(result) === 'notification' ? notificationOf(result).type : codeOf(result);
  };
  expect(outcome(true, 'SUCCESS')).toBe('payment_succeeded');
  expect(outcome(true, 'approved')).toBe('payment_succeeded');
  expect(outcome(true, 'pending')).toBe('bad_body');
  expect(outcome(true, 'cancelled')).toBe('bad_body');
  expect(outcome(false, 'success')).toBe('bad_body');
  expect(outcome(false, 'declined')).toBe('payment_failed');
  expect(outcome(false, 'timeout')).toBe('payment_failed');
  expect(outcome(false, 'pending')).toBe('ignored');
});

test('Epay: names each fault; the customer is not read', () => {
  expect(fieldsOf(epay, { success: 'true', transaction: { amount: 1 } })).toEqual([
    'success',
    'transaction.reference',
    'transaction.status',
    'transaction.amount',
  ]);
  const customer = { name: 'sam', email: 'sam@example.com' };
  const body = { ...EPAY, transaction: { ...EPAY.transaction, customer, description: 'x' } };
  expect(notificationOf(send(epay, body)).payload).toBe(
    '{"amount":"1","reference":"r","source":"epay","status":"success"}',
  );
});

test('no fault repeats a value', () => {
  const secret = 'VERY-PRIVATE';
  for (const source of [resmic, paymentflow, epay, sparkSsp, sparkPaymentReceived]) {
    const body = {
      template: 'spark_payment_received',
      type: source === sparkSsp ? RECEIVE.type : 'payment.failed',
      data: { object: secret, amount_sat: secret },
      status: secret,
      success: secret,
      payment_preimage: secret,
      transaction: secret,
    };
    const result = send(source, body);
    expect(codeOf(result), source.name).toBe('bad_body');
    expect(JSON.stringify(result), source.name).not.toContain(secret);
  }
});

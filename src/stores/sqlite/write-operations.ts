// The writer's operations by name, prepared for one connection.

import type Database from 'better-sqlite3';
import type { Sealer } from '../sealing/seal.ts';
import { prepareEndpointOperations } from './events/endpoints.ts';
import { prepareMissedReceipts } from './events/missed.ts';
import { prepareEndpointQueries } from './events/queries.ts';
import { prepareEventRecording } from './events/recording.ts';
import { prepareWakeEvents } from './events/wakes.ts';
import { prepareDeliveryOperations } from './operations/deliveries.ts';
import { prepareDeviceOperations } from './operations/devices.ts';
import { prepareForget } from './operations/forget.ts';
import { prepareHurry } from './operations/hurry.ts';
import { prepareQueueOperations } from './operations/queue.ts';
import { prepareRecordOperations } from './operations/records.ts';
import { prepareTokenQueries } from './operations/token-queries.ts';
import { prepareUpkeepOperations } from './operations/upkeep.ts';
import type { WriteOperation, WriteResult } from './protocol.ts';
import { prepareReceiptOperations } from './receipts/operations.ts';

export interface WriteOperations {
  run(operation: WriteOperation): WriteResult;
  /** The transaction, or the last operation, was rolled back. */
  undone(): void;
}

export function prepareWriteOperations(db: Database.Database, sealer: Sealer): WriteOperations {
  const recording = prepareEventRecording(db, sealer);
  const endpoints = prepareEndpointOperations(db, { sealer, recording });
  const deliveries = prepareDeliveryOperations(db, sealer, recording);
  const queue = prepareQueueOperations(db, sealer, deliveries.finish);
  const devices = prepareDeviceOperations(db, sealer, deliveries.finish);
  const wakeEvents = prepareWakeEvents(db, recording);
  const missed = prepareMissedReceipts(db, recording);
  const receipts = prepareReceiptOperations(db, deliveries.endByPhone);
  const upkeep = prepareUpkeepOperations(db, recording);
  const tokens = prepareTokenQueries(db);
  const records = prepareRecordOperations(db, recording);
  const hurry = prepareHurry(db);
  const forget = prepareForget(db, { finish: deliveries.finish, erase: devices.erase });

  function run({ kind, input }: WriteOperation): WriteResult {
    switch (kind) {
      case 'insert':
        deliveries.insert(input);
        return { kind, output: undefined };
      case 'settle':
        return { kind, output: deliveries.settle(input) };
      case 'confirm':
        return { kind, output: deliveries.confirm(input) };
      case 'renew':
        return { kind, output: deliveries.renew(input) };
      case 'claim':
        return { kind, output: queue.claim(input) };
      case 'release_leases':
        queue.releaseLeases(input);
        return { kind, output: undefined };
      case 'recover':
        return { kind, output: queue.recover(input) };
      case 'hasten':
        return { kind, output: queue.hasten(input) };
      case 'expire_overdue':
        return { kind, output: queue.expireOverdue(input) };
      case 'quarantine':
        upkeep.quarantine(input);
        return { kind, output: undefined };
      case 'release_quarantine':
        return { kind, output: upkeep.releaseQuarantine(input) };
      case 'prune':
        return { kind, output: upkeep.prune(input) };
      case 'record_reply':
        deliveries.recordReply(input);
        return { kind, output: undefined };
      case 'probe':
        upkeep.probe();
        return { kind, output: undefined };
      case 'check_file':
        // The writer itself checks the file, before the transaction.
        return { kind, output: undefined };
      case 'tell':
        records.tell(input);
        return { kind, output: undefined };
      case 'write_refusals':
        return { kind, output: records.writeRefusals(input) };
      case 'trim_refusals':
        return { kind, output: records.trimRefusals(input) };
      case 'record_outage':
        records.recordOutage(input);
        return { kind, output: undefined };
      case 'record_gap':
        records.recordGap(input);
        return { kind, output: undefined };
      case 'begin':
        records.begin(input);
        return { kind, output: undefined };
      case 'end':
        records.end(input);
        return { kind, output: undefined };
      case 'prune_records':
        return { kind, output: records.prune(input) };
      case 'list_quarantine':
        return { kind, output: tokens.listQuarantine(input) };
      case 'proven_tokens':
        return { kind, output: tokens.provenTokens(input) };
      case 'add_device':
        return { kind, output: devices.add(input) };
      case 'replace_device':
        return { kind, output: devices.replace(input) };
      case 'delete_device':
        return { kind, output: devices.remove(input) };
      case 'prune_devices':
        return { kind, output: devices.prune(input) };
      case 'use_once':
        return { kind, output: devices.useOnce(input) };
      case 'hurry':
        return { kind, output: hurry(input) };
      case 'forget_rows':
        return { kind, output: forget.rows(input) };
      case 'forget_devices':
        return { kind, output: forget.devices(input) };
      case 'record_push': {
        const output = receipts.recordPush(input);
        missed.expect(input);
        return { kind, output };
      }
      case 'record_receipt': {
        const output = receipts.recordReceipt(input);
        missed.answered(input);
        if (output !== undefined) wakeEvents.receipt(output, input.atMs);
        return { kind, output };
      }
      case 'record_knock':
        return { kind, output: receipts.recordKnock(input) };
      case 'record_knock_outcome':
        receipts.recordKnockOutcome(input);
        return { kind, output: undefined };
      case 'record_replied': {
        const output = receipts.recordReplied(input);
        missed.answered(input);
        if (output !== undefined) wakeEvents.replied(output, input);
        return { kind, output };
      }
      case 'record_useless_knock':
        return { kind, output: receipts.recordUselessKnock(input) };
      case 'note_silent': {
        const output = receipts.noteSilent(input);
        wakeEvents.silent(output, input.atMs);
        return { kind, output };
      }
      case 'note_missed':
        return { kind, output: missed.note(input) };
      case 'list_endpoints':
        return { kind, output: prepareEndpointQueries(db, sealer).list() };
      case 'put_endpoint':
        return { kind, output: endpoints.put(input) };
      case 'delete_endpoint':
        return { kind, output: endpoints.remove(input.id) };
      case 'rewind_endpoint':
        return { kind, output: endpoints.rewind(input) };
      case 'note_attempt':
        endpoints.note(input);
        return { kind, output: undefined };
      case 'prune_events':
        return { kind, output: recording.prune(input) };
    }
  }

  return {
    run,
    undone: () => {
      devices.undone();
      recording.refresh();
    },
  };
}

/** Blobs, records and logs in one folder of the server's disk. One server at a time may own the folder. */
import { join } from 'node:path';
import type {
  AuditLog,
  DeliveryLog,
  BlobStore,
  Collected,
  CollectRequest,
  DiskUsage,
  FollowedLogs,
  RecordStore,
} from '../ports.ts';
import { diskAudit } from './audit.ts';
import { diskBlobs } from './blobs.ts';
import { diskDeliveries } from './deliveries.ts';
import { collectLogs } from './collect-logs.ts';
import { collectBlobs } from './collect.ts';
import { makeDir, onDisk, Scratch } from './files.ts';
import { diskLogs } from './logs.ts';
import { takeFolder } from './owner.ts';
import { diskRecords } from './records.ts';
import { diskUsage } from './usage.ts';

export interface DiskStores {
  blobs: BlobStore;
  records: RecordStore;
  logs: FollowedLogs;
  audit: AuditLog;
  deliveries: DeliveryLog;
  /** Removes blobs that nothing needs any more. */
  collect(request: CollectRequest): Promise<Collected>;
  usage(): Promise<DiskUsage>;
  close(): Promise<void>;
}

/**
 * Creates missing folders (mode 0700) and removes what a previous process left half written. Rejects with
 * `store/in-use`.
 */
export async function diskStores(folder: string): Promise<DiskStores> {
  const scratch = new Scratch(join(folder, 'scratch'));
  const leave = await onDisk('the data folder of the server', async () => {
    await makeDir(folder);
    const taken = await takeFolder(folder);
    await scratch.sweep();
    return taken;
  });
  const logs = diskLogs(join(folder, 'logs'));
  const audit = diskAudit(join(folder, 'audit'));
  const deliveries = diskDeliveries(join(folder, 'deliveries'));
  return {
    blobs: diskBlobs(join(folder, 'blobs'), scratch),
    records: diskRecords(folder, scratch),
    logs,
    audit,
    deliveries,
    collect: async (request) => {
      const collected = await collectBlobs(folder, request);
      const { logsBefore } = request;
      if (logsBefore === undefined) return collected;
      return { ...collected, logs: await collectLogs(folder, { ...request, logsBefore }) };
    },
    usage: () => diskUsage(folder),
    close: async () => {
      await logs.close();
      await audit.close();
      await deliveries.close();
      await leave();
    },
  };
}

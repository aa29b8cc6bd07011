// The receipts in SQLite against the contract of every adapter.

import { receiptStoreContract } from '../../contract/receipt-store-contract.ts';
import { useFiles } from './files.ts';

const { newFile, open } = useFiles();

receiptStoreContract(() => open(newFile()));

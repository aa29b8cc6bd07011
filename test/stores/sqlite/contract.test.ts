// The SQLite store against the contract of every store.

import { storeContract } from '../../contract/store-contract.ts';
import { useFiles } from './files.ts';

const { newFile, open } = useFiles();

storeContract(async () => (await open(newFile())).store);

// What operators list and change in SQLite against the contract of every adapter.

import { operatingContract } from '../../contract/operating-contract.ts';
import { useFiles } from './files.ts';

const { newFile, open } = useFiles();

operatingContract({ newPlace: async () => newFile(), open });

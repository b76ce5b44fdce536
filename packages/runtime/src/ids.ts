import { uuidv7 } from 'uuidv7';

/** A UUIDv7: ids sort by time of making. */
export function makeId(): string {
  return uuidv7();
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

/** Whether a client's id can be one of ours; another string is simply not found. */
export function isUuid(value: string): boolean {
  return uuidPattern.test(value);
}

// A Namespace, reduced to its name: only its existence counts.

import type { ProtobufReader } from '../protobuf.ts';
import type { Metadata } from './metadata.ts';

export interface Namespace {
  /** Always '': namespaces live in none. */
  readonly namespace: string;
  readonly name: string;
}

export function readNamespace(reader: ProtobufReader, metadata: Metadata, readMetadata: () => void): Namespace {
  while (reader.next()) {
    if (reader.is(1)) readMetadata();
    else reader.skip();
  }
  return { namespace: '', name: metadata.name };
}

export function namespaceOfJson(_object: unknown, metadata: Metadata): Namespace {
  return { namespace: '', name: metadata.name };
}

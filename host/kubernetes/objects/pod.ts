// A Pod, reduced to its primary address (k8s.io/api/core/v1/generated.proto).

import { packAddress } from '../addresses.ts';
import type { ProtobufReader } from '../protobuf.ts';
import { field, text } from './json.ts';
import type { Metadata } from './metadata.ts';

export interface Pod {
  readonly namespace: string;
  readonly name: string;
  /** Packed; '' while it has none. */
  readonly address: string;
  readonly isTerminating: boolean;
  /** All labels, if they are kept. */
  readonly labels: ReadonlyMap<string, string> | undefined;
}

export function readPod(reader: ProtobufReader, metadata: Metadata, readMetadata: () => void): Pod {
  let address = '';
  while (reader.next()) {
    if (reader.is(1)) readMetadata();
    else if (reader.is(3)) {
      const outer = reader.enter();
      while (reader.next()) {
        if (reader.is(6)) address = reader.text();
        else reader.skip();
      }
      reader.leave(outer);
    } else reader.skip();
  }
  return podOf(metadata, address);
}

export function podOfJson(object: unknown, metadata: Metadata): Pod {
  return podOf(metadata, text(field(object, 'status'), 'podIP'));
}

function podOf(metadata: Metadata, address: string): Pod {
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    address: packAddress(address),
    isTerminating: metadata.isTerminating,
    labels: metadata.labels,
  };
}

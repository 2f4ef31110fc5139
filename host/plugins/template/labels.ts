// Names of types and classes as CoreDNS's templates have them: '' for a number without a mnemonic.

import { CLASS_ANY } from '../../../engine-as/shared/codes.ts';
import { className, typeName } from '../../dns/types.ts';

export function typeLabel(type: number): string {
  const name = typeName(type);
  return name.startsWith('TYPE') ? '' : name;
}

export function classLabel(queryClass: number): string {
  const name = className(queryClass);
  return name.startsWith('CLASS') ? '' : name;
}

/** The usual class of a rule's questions. */
export function labelOfClass(ruleClass: number): string {
  return ruleClass === CLASS_ANY ? 'IN' : classLabel(ruleClass);
}

// Plugin rewrite: changes questions and options on their way down, and replies on their way back.

import type { BlockProgram, Control, ControlServices, Directive, ServerBlock } from '../../plugin/contract.ts';
import { fastRules } from './fast-rules.ts';
import { parseRewrite } from './parse.ts';
import { createRewriter } from './rewriter.ts';
import { type RewriteConfig, VARIABLES } from './rules.ts';

export const rewrite: Directive<RewriteConfig> = {
  name: 'rewrite',
  parse: parseRewrite,
  control: createControl,
  compile,
  create: (config, _block, services) => createRewriter(config, services),
};

/** Codes of local options are echoed to clients by the whole process from then on, as in CoreDNS. */
function createControl(config: RewriteConfig, _block: ServerBlock, services: ControlServices): Control {
  for (const rule of config.rules) if ('code' in rule) services.echoOption(rule.code);
  return {};
}

function compile(config: RewriteConfig, program: BlockProgram): void {
  if (config.rules.some((rule) => 'data' in rule && isLabel(rule.data))) program.readMetadata();
  program.rewrite(fastRules(config.rules));
}

function isLabel(data: Uint8Array | string): boolean {
  return typeof data === 'string' && !VARIABLES.includes(data);
}

import type { Fault } from '../../errors.ts';
import type { When } from '../../protocol/voices.ts';
import type { FilledRequest } from '../scenarios/apply.ts';

/**
 * What is wrong with who speaks, when it ends and what is decided: names that no agent has, and roles that don't go
 * together (docs/protocol.md, section 9).
 *
 * @param names of the agents, in their order
 */
export function faultsOfVoices(request: FilledRequest, names: readonly string[]): Fault[] {
  const { agents = [], turnPolicy, termination } = request;
  const faults: Fault[] = [];
  const known = (path: string, name: string): void => {
    if (!names.includes(name)) faults.push({ path, message: `is none of ${names.join(', ')}` });
  };
  const speaks = names.map((_, index) => agents[index]?.speaks ?? 'in_turn');
  if (!speaks.includes('in_turn')) {
    faults.push({ path: 'agents', message: 'has nobody who speaks in_turn' });
  }
  if (turnPolicy?.type === 'weighted') {
    for (const name of Object.keys(turnPolicy.weights)) known(`turnPolicy.weights.${name}`, name);
  }
  if (turnPolicy?.type === 'debate') {
    const sides = turnPolicy.sides.flatMap((side, place) =>
      side.map((name, index) => ({ name, path: `turnPolicy.sides.${place}.${index}` })),
    );
    for (const [index, { name, path }] of sides.entries()) {
      known(path, name);
      if (sides.findIndex((each) => each.name === name) < index) {
        faults.push({ path, message: 'is on a side already' });
      }
    }
    for (const [index, name] of names.entries()) {
      const isOnSide = sides.some((each) => each.name === name);
      if (isOnSide && speaks[index] === 'never') {
        faults.push({ path: `agents.${index}.speaks`, message: 'is never, and yet it is on a side' });
      }
      if (!isOnSide && speaks[index] !== 'never') {
        faults.push({
          path: `agents.${index}.speaks`,
          message: 'has to be never for who is on no side of the debate',
        });
      }
    }
  }
  for (const { path, name } of namesIn(termination?.when ?? undefined, 'termination.when')) known(path, name);
  return faults;
}

function namesIn(when: When | undefined, path: string): { path: string; name: string }[] {
  if (!when) return [];
  if ('any' in when) return when.any.flatMap((each, index) => namesIn(each, `${path}.any.${index}`));
  if ('all' in when) return when.all.flatMap((each, index) => namesIn(each, `${path}.all.${index}`));
  if ('not' in when) return namesIn(when.not, `${path}.not`);
  if ('said' in when) return when.by === undefined ? [] : [{ path: `${path}.by`, name: when.by }];
  return 'spoke' in when ? [{ path: `${path}.spoke`, name: when.spoke }] : [];
}

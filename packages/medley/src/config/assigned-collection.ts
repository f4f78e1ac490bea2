import {
  type Collection,
  canonicalJson,
  MedleyError,
  reduce,
  reductionOf,
  type Space,
  spaceOf,
  unreduced,
} from "@medley/core";
import type { ModelLock } from "@medley/models";

/**
 * A collection as `medley assign` decided: each space by the candidate that the lock holds, in as many dimensions, and the weights that it
 * learned, for all searches and for those of a class. What the lock does not speak of stays as it is configured. Throws `config_invalid` for a choice that is no candidate any more.
 */
export function withAssigned(collection: Collection, lock: ModelLock): Collection {
  const chosen = withChoices(collection, lock);
  const shares = lock.assigned.dimensions[collection.name]?.spaces ?? {};
  const spaces = chosen.spaces.map((space): Space => {
    const reduced = Object.hasOwn(shares, space.name) ? shares[space.name] : undefined;
    // As with candidates: what the configuration says itself is the user's own word.
    if (reduced === undefined || reductionOf(space.definition) !== undefined) return space;
    const definition = reduce(space.definition, reduced);
    if (definition !== null) return spaceOf(space.name, definition, space.candidates);
    const place = `${collection.name}.${space.name}`;
    throw new MedleyError(
      "config_invalid",
      `space ${place}: ${lock.file} reduces it to ${reduced.to} dimensions, but its encoder "${space.definition.encoder}" can't be reduced`,
      {
        mend: `take it out of the lock's assigned.dimensions, or configure the space as it was`,
      },
    );
  });
  return { ...chosen, spaces };
}

/** As it is before the lock reduces it: what an assignment measures. */
export function beforeReduction(collection: Collection, { assigned }: ModelLock): Collection {
  const shares = assigned.dimensions[collection.name]?.spaces ?? {};
  const spaces = collection.spaces.map((space): Space => {
    const own = reductionOf(space.definition);
    if (own === undefined || canonicalJson(own) !== canonicalJson(shares[space.name] ?? null)) return space;
    return spaceOf(space.name, unreduced(space.definition), space.candidates);
  });
  return { ...collection, spaces };
}

function withChoices(collection: Collection, { assigned, file }: ModelLock): Collection {
  const spaces = collection.spaces.map((space): Space => {
    const place = `${collection.name}.${space.name}`;
    const choice = Object.hasOwn(assigned.spaces, place) ? assigned.spaces[place] : undefined;
    // A configuration without candidates is the user's own word: what was measured once does not count against it.
    if (choice === undefined || space.candidates.length === 0) return space;
    const chosen = canonicalJson(choice.definition);
    const definition = space.candidates.find((candidate) => canonicalJson(candidate) === chosen);
    if (definition !== undefined) return spaceOf(space.name, definition, space.candidates);
    throw new MedleyError(
      "config_invalid",
      `space ${place}: the choice in ${file} (encoder "${choice.definition.encoder}") is none of its candidates`,
      {
        mend:
          "put that candidate back as it was, or remove the space from the lock's assigned.spaces " +
          "(the first candidate serves then) and run `medley assign`",
      },
    );
  });
  // As with candidates: weights that the configuration names are not replaced.
  const isUnweighted = Object.values(collection.weights).every((weight) => weight === 1);
  const known = (learned: Readonly<Record<string, number>>) =>
    Object.fromEntries(
      Object.entries(learned).filter(([name]) => isUnweighted && Object.hasOwn(collection.weights, name)),
    );
  const learned = assigned.weights[collection.name]?.weights ?? {};
  const classes = Object.entries(assigned.classes[collection.name] ?? {});
  return {
    ...collection,
    spaces,
    weights: Object.freeze({ ...collection.weights, ...known(learned) }),
    classes: Object.freeze(Object.fromEntries(classes.map(([name, of]) => [name, known(of.weights)]))),
  };
}

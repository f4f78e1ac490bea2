/** What a search may say: the same in TypeScript, over HTTP and on the command line. */
export interface SearchQuery {
  /** Per space what to look for: a text, a number or `high`, categories, `{now, halfLifeDays}`, a place, a vector. */
  readonly parts?: Readonly<Record<string, unknown>>;
  /** Per text words to look for, as one types them into a search engine: `bank heist -comedy`, `"bank robbery" or heist`. */
  readonly texts?: Readonly<Record<string, string | AskedText>>;
  /** Per space and text; the others keep their default. May be 0 or negative. */
  readonly weights?: Readonly<Record<string, number>>;
  /** What kind of search it is: spaces that `weights` does not name weigh what `medley assign` has learned for it. */
  readonly class?: string;
  /** Ids of rows whose segments stand in for the parts not given; of several their mean. With `unlike` at most 100. */
  readonly like?: string | readonly string[];
  /** Ids of rows that hits should differ from in the parts not given: a third of their mean is taken from that of `like`. */
  readonly unlike?: string | readonly string[];
  /** The user whose profile stands in for the parts not given; not together with `like` or `unlike`. */
  readonly for?: string;
  /** Leaves out the records that the user of `for` had events with. Default false. */
  readonly excludeSeen?: boolean;
  /** Conditions on typed columns: `{"year": {"gte": 1990}, "genres": {"any": ["Comedy"]}}`. */
  readonly filter?: Readonly<Record<string, unknown>>;
  /** How many hits, 1 to 1,000. Default 10. */
  readonly k?: number;
  /** The share of the best hits that is to be found, 0 to 1; 1 scans exactly. Default .95. */
  readonly recall?: number;
  /** No hit has a lower score. */
  readonly scoreMin?: number;
  /** 0 to 1: the higher, the more hits differ from each other. Of at most 100 hits. */
  readonly diversity?: number;
  readonly perGroup?: HitGroups;
  /** The cursor of an answer to the same search: the hits behind its last one. Not together with `diversity` or `perGroup`. */
  readonly after?: string;
}

export interface AskedText {
  readonly query: string;
  /** Goes before that of `weights`. */
  readonly weight?: number;
}

/** At most `max` hits of each value of a category field. */
export interface HitGroups {
  readonly field: string;
  readonly max: number;
}

/** Where a hit stands among all of a search. */
export interface HitPlace {
  readonly id: string;
  readonly score: number;
  /** From 1. */
  readonly place: number;
}

/** Builds the indexes of `films` in the database that it is given. */
import { buildIndex } from "./collection-index.ts";

await buildIndex(process.argv[2] as string, "films");

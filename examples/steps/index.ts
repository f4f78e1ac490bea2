export { loadRecords, openExample, planAssignment, trainSpace, writeRecords } from "./deployment.ts";
export { fuseSegments, readSegments, type Segments } from "./segments.ts";

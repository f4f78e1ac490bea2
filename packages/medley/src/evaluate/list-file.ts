import { fileWriter, ParquetWriter } from "hyparquet-writer";

export interface ListRow {
  readonly id: number;
  readonly list: readonly number[];
}

/** A Parquet file of rows with a number and a list of numbers, written as they come: a row group per 1,000. */
export class ListFile {
  readonly #column: string;
  readonly #element: "FLOAT" | "INT64";
  readonly #writer: ParquetWriter;
  #waiting: ListRow[] = [];

  constructor(
    path: string,
    { column, element }: { readonly column: string; readonly element: "FLOAT" | "INT64" },
  ) {
    this.#column = column;
    this.#element = element;
    this.#writer = new ParquetWriter({
      writer: fileWriter(path),
      schema: [
        { name: "schema", num_children: 2 },
        { name: "id", type: "INT64", repetition_type: "REQUIRED" },
        { name: column, repetition_type: "OPTIONAL", num_children: 1, converted_type: "LIST" },
        { name: "list", repetition_type: "REPEATED", num_children: 1 },
        { name: "element", type: element, repetition_type: "OPTIONAL" },
      ],
    });
  }

  async write(row: ListRow): Promise<void> {
    this.#waiting.push(row);
    if (this.#waiting.length === rowGroupRows) await this.#flush();
  }

  async close(): Promise<void> {
    if (this.#waiting.length > 0) await this.#flush();
    await this.#writer.finish();
  }

  async #flush(): Promise<void> {
    const rows = this.#waiting;
    this.#waiting = [];
    const list = (values: readonly number[]) => (this.#element === "INT64" ? values.map(BigInt) : values);
    await this.#writer.write({
      columnData: [
        { name: "id", data: rows.map(({ id }) => BigInt(id)) },
        { name: this.#column, data: rows.map(({ list: values }) => list(values)) },
      ],
      rowGroupSize: rowGroupRows,
    });
  }
}

const rowGroupRows = 1_000;

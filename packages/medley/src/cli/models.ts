import type { Command } from "commander";
import type { Run } from "./context.ts";
import { compareCommand } from "./models-compare.ts";
import { listModels } from "./models-list.ts";
import { modelOutputs } from "./models-outputs.ts";
import { pullModels } from "./models-pull.ts";
import { quantiseCommand } from "./models-quantise.ts";
import { removeModelCommand } from "./models-remove.ts";
import { useArtefact } from "./models-use.ts";
import { verifyModels } from "./models-verify.ts";

/** `medley models …`: the files of models, pre-trained and trained, on this disk and in medley.lock.json. */
export function modelCommands(medley: Command, run: Run): void {
  const group = medley
    .command("models")
    .description(
      "models: fetch them from the hub, pin them in medley.lock.json, check them, go back to an earlier one",
    );
  group
    .command("list")
    .description("bundled, pinned, cached and trained models; whether they are there")
    .action(() => run("models list", listModels));
  group
    .command("pull [names...]")
    .description("fetch models from the hub and pin their bytes (default: all that the configuration names)")
    .option("--revision <revision>", "branch, tag or commit (default: the pinned commit, else main)")
    .option("--dtype <suffix>", "another ONNX file of the model: fp16 is onnx/model_fp16.onnx; as NAME#fp16")
    .addHelpText(
      "after",
      "\nExamples:\n  $ medley models pull\n  $ medley models pull Xenova/bge-small-en-v1.5 --revision main\n  $ medley models pull Xenova/bge-small-en-v1.5#fp16" +
        "\n\nThe hub's own variables count: HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE.",
    )
    .action((names, options) => run("models pull", (context) => pullModels(context, { names, ...options })));
  group
    .command("verify [name]")
    .description("hash all files; compare vectors with the model's reference.json where it has one")
    .addHelpText("after", "\nExample:\n  $ medley models verify all-MiniLM-L6-v2")
    .action((name) => run("models verify", (context) => verifyModels(context, name)));
  group
    .command("use <space> <run>")
    .description("serve a trained space by the artefact of another run: pins it in medley.lock.json")
    .addHelpText("after", "\nExample:\n  $ medley models use films.cast 2026-11-24-1f0c9a2e")
    .action((space, id) => run("models use", (context) => useArtefact(context, space, id)));
  group
    .command("compare <space> [runs...]")
    .description("metrics and settings of two runs of a space side by side (default: the newest two)")
    .addHelpText(
      "after",
      "\nExamples:\n  $ medley models compare films.cast\n  $ medley models compare films.cast 2026-11-23-0a1b2c3d 2026-11-24-1f0c9a2e",
    )
    .action((space, ids) => run("models compare", (context) => compareCommand(context, space, ids)));
  group
    .command("remove <name>")
    .description("take a model out of the hub's cache on this disk and out of medley.lock.json")
    .addHelpText("after", "\nExample:\n  $ medley models remove Xenova/bge-small-en-v1.5")
    .action((name) => run("models remove", (context) => removeModelCommand(context, name)));
  group
    .command("outputs <model>")
    .description(
      "the tensors of a model that may serve as an embedding: the layer before a classifier's classes",
    )
    .addHelpText(
      "after",
      "\nExamples:\n  $ medley models outputs thin-resnet-50\n  $ medley models outputs ./classifier.onnx",
    )
    .action((model) => run("models outputs", (context) => modelOutputs(context, model)));
  group
    .command("quantise <model>")
    .description("store a model's large weights as int8; it computes in float32 as before")
    .requiredOption("--out <folder>", "where to write the model's folder; must not be there yet")
    .addHelpText("after", "\nExample:\n  $ medley models quantise ./my-model --out ./my-model-int8")
    .action((model, options) =>
      run("models quantise", (context) => quantiseCommand(context, model, options.out)),
    );
}

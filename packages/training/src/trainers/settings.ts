import { MedleyError, suggestion } from "@medley/core";

export type SettingValue = number | string | boolean;

/** What `--set NAME=VALUE` may say. */
export type Setting =
  | { readonly type: "integer" | "number"; readonly min: number; readonly max: number }
  | { readonly type: "boolean" }
  | { readonly type: "choice"; readonly values: readonly string[] };

/** By name; what is left out has the trainer's default. */
export type Settings = Readonly<Record<string, SettingValue>>;

export const integer = (min: number, max: number): Setting => ({ type: "integer", min, max });
export const number = (min: number, max: number): Setting => ({ type: "number", min, max });

/** Reads `NAME=VALUE` settings. Throws `usage` with the mend. */
export function parseSettings(
  settings: Readonly<Record<string, Setting>>,
  given: readonly string[],
): Settings {
  const read: Record<string, SettingValue> = {};
  for (const text of given) {
    const at = text.indexOf("=");
    const [name, value] = [text.slice(0, Math.max(at, 0)), text.slice(at + 1)];
    const setting = Object.hasOwn(settings, name) ? settings[name] : undefined;
    const known = Object.keys(settings);
    if (at < 1) {
      throw new MedleyError("usage", `--set ${JSON.stringify(text)} is no setting`, {
        mend: `write it as --set NAME=VALUE; there are ${known.join(", ")}`,
      });
    }
    if (setting === undefined) {
      throw new MedleyError("usage", `there is no setting "${name}"`, { mend: suggestion(name, known) });
    }
    const parsed = settingValue(setting, value);
    if (parsed === undefined) {
      throw new MedleyError("usage", `--set ${name}=${value}: it must be ${formOf(setting)}`);
    }
    read[name] = parsed;
  }
  return read;
}

/** What `--epochs` says, as a setting of the trainer: where epochs may end sooner by themselves they are `epochsMax`. */
export function epochsSetting(settings: Readonly<Record<string, Setting>>, epochs: number): string {
  const isMost = !Object.hasOwn(settings, "epochs") && Object.hasOwn(settings, "epochsMax");
  return `${isMost ? "epochsMax" : "epochs"}=${epochs}`;
}

function settingValue(setting: Setting, text: string): SettingValue | undefined {
  if (setting.type === "boolean") return text === "true" ? true : text === "false" ? false : undefined;
  if (setting.type === "choice") return setting.values.includes(text) ? text : undefined;
  const value = text.trim() === "" ? Number.NaN : Number(text);
  const fits = setting.type === "integer" ? Number.isSafeInteger(value) : Number.isFinite(value);
  return fits && value >= setting.min && value <= setting.max ? value : undefined;
}

function formOf(setting: Setting): string {
  if (setting.type === "boolean") return "true or false";
  if (setting.type === "choice") return `one of ${setting.values.join(", ")}`;
  return `${setting.type === "integer" ? "a whole number" : "a number"} from ${setting.min} to ${setting.max}`;
}

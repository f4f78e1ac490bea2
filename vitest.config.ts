import { defineConfig } from "vitest/config";

const folders = "{packages,services,test,examples,infra}";
// Such a suite runs against the real services whose URLs the environment gives, and is skipped where it gives none.
const servicesSuites = `${folders}/**/*.services.test.ts`;
const exclude = ["**/node_modules/**", "test/bench/**"];

export default defineConfig({
  test: {
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: "embedded",
          include: [`${folders}/**/*.test.ts`],
          exclude: [...exclude, servicesSuites],
        },
      },
      { extends: true, test: { name: "services", include: [servicesSuites], exclude } },
    ],
  },
});

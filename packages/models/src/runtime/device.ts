/** Where models run. `webgpu` is any GPU that Vulkan, Metal or Direct3D 12 reach; `cuda` is NVIDIA's own, and faster there. */
export const devices = ["cpu", "cuda", "webgpu"] as const;
export type Device = (typeof devices)[number];

// Bounds of what is read from the API.

/** One watch event or one page of a list. The API server refuses objects above 3 MiB; a page holds PAGE_OBJECTS. */
export const MESSAGE_BYTES_MAX = 64 * 1024 * 1024;

export const PAGE_OBJECTS = 500;

/** An error body is read this far. */
export const STATUS_BYTES_MAX = 64 * 1024;

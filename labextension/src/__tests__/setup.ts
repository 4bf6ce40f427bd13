/** What the test environment's page lacks and browsers have. */

class QuietResizeObserver implements ResizeObserver {
  observe(): void {
    // Sizes never change here.
  }

  unobserve(): void {
    // See observe.
  }

  disconnect(): void {
    // See observe.
  }
}

globalThis.ResizeObserver ??= QuietResizeObserver;

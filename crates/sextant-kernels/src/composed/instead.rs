use std::cell::RefCell;

thread_local! {
    /// The operations whose composed body ran within [`instead_of_kernels`], as long as that runs.
    static RAN: RefCell<Option<Vec<&'static str>>> = const { RefCell::new(None) };
}

/// Runs `body` with composed bodies in place of kernels in what this thread calls, on any device, and returns
/// the names of the operations that ran so: for comparing kernels with their definition.
pub fn instead_of_kernels<T>(body: impl FnOnce() -> T) -> (T, Vec<&'static str>) {
    struct Restore(Option<Vec<&'static str>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            RAN.set(self.0.take());
        }
    }
    let _restore = Restore(RAN.replace(Some(Vec::new())));
    let result = body();
    (result, RAN.take().unwrap_or_default())
}

/// Whether the composed body of an operation is to run also where there is a kernel.
pub(crate) fn replaces(operation: &'static str) -> bool {
    RAN.with_borrow_mut(|ran| {
        if let Some(ran) = ran {
            ran.push(operation);
        }
        ran.is_some()
    })
}

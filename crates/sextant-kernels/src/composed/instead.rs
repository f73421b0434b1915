use std::cell::RefCell;

thread_local! {
    /// The names of the operations whose composed body ran since [`instead_of_kernels`] started; `None`
    /// outside of it.
    static RAN: RefCell<Option<Vec<&'static str>>> = const { RefCell::new(None) };
}

/// Runs `body`. Operations that this thread calls within it run their composed bodies instead of kernels, on
/// any device. Returns the names of these operations, too. This serves to compare kernels with their
/// definitions.
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

/// Whether the composed body of an operation replaces its kernel. If so, the operation's name is recorded.
pub(crate) fn replaces(operation: &'static str) -> bool {
    RAN.with_borrow_mut(|ran| {
        if let Some(ran) = ran {
            ran.push(operation);
        }
        ran.is_some()
    })
}

//! The memory that the process uses.

/// Resets the recorded peak to what the process holds now, where the operating system can do so (Linux).
/// After that, [`peak_memory`] reports the peak since this call.
pub fn reset_peak_memory() {
    // Some containers refuse this; the peak is then that of the whole process.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The most memory that the process ever held, in bytes, where the operating system reports it.
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}

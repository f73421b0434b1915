//! What the process holds.

/// Forgets the peak so far, where the system can (Linux), so that [`peak_memory`] is about what
/// comes after. What the process still holds counts.
pub fn reset_peak_memory() {
    // Refused in some containers: then the peak is that of the whole process.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The most memory that the process ever held, in bytes, where the system says.
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}

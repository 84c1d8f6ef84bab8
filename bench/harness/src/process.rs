//! CPU time and peak memory of a process, from Linux's `/proc`.

/// Ticks of `/proc/PID/stat` in a second: the kernel reports 100 to programs, whatever its own rate is.
const TICKS: f64 = 100.0;

/// User and system CPU time of a process in microseconds; `pid` may be `self`. `None` where there is no `/proc`.
pub(crate) fn cpu_us(pid: &str) -> Option<f64> {
    parse_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Peak resident memory of a process in MiB; `pid` may be `self`. `None` where there is no `/proc`.
pub(crate) fn peak_rss_mib(pid: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}

/// The command name in parentheses may hold spaces, so fields are counted from its end.
fn parse_stat(stat: &str) -> Option<f64> {
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) * 1e6 / TICKS)
}

#[cfg(test)]
mod tests {
    #[test]
    fn stat_of_a_command_with_spaces_and_parentheses() {
        let stat = "42 (a b) c) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 1 0";
        assert_eq!(super::parse_stat(stat), Some(2e6));
        assert_eq!(super::parse_stat("42 (a"), None);
    }
}

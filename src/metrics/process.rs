//! What Linux says of the process, by the names that the clients of Prometheus share. Elsewhere these metrics have no
//! samples.

use std::{fmt, fs};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};

/// Reads `/proc` at each scrape.
#[derive(Debug)]
pub struct Process;

/// In a second: Linux counts so for programs, whatever its own clock does.
const TICKS: f64 = 100.0;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let memory = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let machine = fs::read_to_string("/proc/stat").unwrap_or_default();
        let bytes = |name| Some(field(&memory, name)? * 1024.0);

        let cpu = cpu_seconds(&stat).map(ConstCounter::new);
        let help = "seconds of processor time, of the process and of the kernel for it";
        family(&mut encoder, "process_cpu_seconds", help, cpu, &ConstCounter::new(0.0))?;
        let gauges = [
            (
                "process_start_time_seconds",
                "when the process started, in seconds since 1970",
                start_time(&stat, &machine),
            ),
            (
                "process_resident_memory_bytes",
                "memory that the process has in use",
                bytes("VmRSS:"),
            ),
            (
                "process_virtual_memory_bytes",
                "address space that the process has mapped",
                bytes("VmSize:"),
            ),
            (
                "process_virtual_memory_max_bytes",
                "address space that the process may map; 2^64 where there is no limit",
                field(&limits, "Max address space"),
            ),
            ("process_open_fds", "files and connections that are open", open_files()),
            (
                "process_max_fds",
                "files and connections that may be open",
                field(&limits, "Max open files"),
            ),
        ];
        for (name, help, value) in gauges {
            family(&mut encoder, name, help, value.map(ConstGauge::new), &ConstGauge::new(0.0))?;
        }
        Ok(())
    }
}

/// One family, whose description is there without a sample, too. `kind` has its type.
fn family<M: EncodeMetric>(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    metric: Option<M>,
    kind: &M,
) -> fmt::Result {
    let encoder = encoder.encode_descriptor(name, help, None, kind.metric_type())?;
    metric.map_or(Ok(()), |metric| metric.encode(encoder))
}

/// The fields after the name, which may have blanks in it: the first is number 3 of proc(5).
fn stat_field(stat: &str, number: usize) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split_whitespace().nth(number - 3)?.parse().ok()
}

fn cpu_seconds(stat: &str) -> Option<f64> {
    Some((stat_field(stat, 14)? + stat_field(stat, 15)?) / TICKS)
}

fn start_time(stat: &str, machine: &str) -> Option<f64> {
    Some(field(machine, "btime ")? + stat_field(stat, 22)? / TICKS)
}

/// The first number after this name at the begin of a line.
fn field(text: &str, name: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    match rest.split_whitespace().next()? {
        "unlimited" => Some(2.0_f64.powi(64)),
        number => number.parse().ok(),
    }
}

fn open_files() -> Option<f64> {
    // The one that reads the folder is in it.
    let files = fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    u32::try_from(files).ok().map(f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_brackets_does_not_shift_the_fields() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 1 0 12345 1000 200";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(start_time(stat, "cpu 1 2\nbtime 1000\n"), Some(1123.45));
    }

    #[test]
    fn a_limit_is_its_soft_one_and_no_limit_is_a_number_too() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max open files            1024                 4096                 files     \n\
                      Max address space         unlimited            unlimited            bytes     \n";
        assert_eq!(field(limits, "Max open files"), Some(1024.0));
        assert_eq!(field(limits, "Max address space"), Some(18_446_744_073_709_551_616.0));
        assert_eq!(field(limits, "Max realtime priority"), None);
    }
}

//! Landlock, resource limits and seccomp, as far as this kernel has them.

use std::{collections::BTreeMap, error::Error};

use landlock::{ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetStatus};
use rustix::process::{Resource, Rlimit, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};

use super::{MAX_ANSWER, MAX_MEMORY, MAX_PROCESSOR_SECONDS};

type Failure = Box<dyn Error>;

/// Standard input, output and error, which are open already.
const MAX_FILES: u64 = 3;

/// What reading a pipe, judging in memory, writing a pipe and ending take. Everything else is refused.
const NEEDED: [libc::c_long; 24] = [
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_gettid,
    libc::SYS_tgkill,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// What no reader of a message has a reason to ask for: it ends the process, so that it does not go unnoticed.
const FORBIDDEN: &[libc::c_long] = &[
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_clone,
    libc::SYS_clone3,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_creat,
    libc::SYS_openat2,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_io_uring_setup,
    libc::SYS_bpf,
    libc::SYS_memfd_create,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
];

pub(super) fn resource_limits() -> bool {
    // Files come first: none of the others needs one.
    let limits = [
        (Resource::Nofile, MAX_FILES),
        (Resource::Fsize, MAX_ANSWER),
        (Resource::Nproc, 0),
        (Resource::Core, 0),
        (Resource::Cpu, MAX_PROCESSOR_SECONDS),
        (Resource::As, MAX_MEMORY),
    ];
    let set = |(resource, most)| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    limits.map(set).iter().all(Result::is_ok)
}

/// Without a rule, so nothing is allowed that it knows of.
pub(super) fn landlock() -> bool {
    let ruleset = || {
        let ruleset = Ruleset::default().handle_access(AccessFs::from_all(ABI::V6))?;
        ruleset.handle_access(AccessNet::from_all(ABI::V6))?.create()?.restrict_self()
    };
    ruleset().is_ok_and(|status| status.ruleset != RulesetStatus::NotEnforced)
}

/// Two filters, of which the stricter answer counts.
pub(super) fn seccomp() -> bool {
    let filters = || Ok::<_, Failure>([forbidden()?, needed()?]);
    filters().is_ok_and(|filters| filters.iter().all(|filter| apply_filter(filter).is_ok()))
}

fn forbidden() -> Result<BpfProgram, Failure> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = FORBIDDEN.iter().map(|&call| (call, Vec::new())).collect();
    rules.insert(libc::SYS_openat, writing(2)?);
    #[cfg(target_arch = "x86_64")]
    rules.insert(libc::SYS_open, writing(1)?);
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        rules.insert(call, vec![flag(2, libc::PROT_EXEC, libc::PROT_EXEC)?]);
    }
    program(rules, SeccompAction::Allow, SeccompAction::KillProcess)
}

fn needed() -> Result<BpfProgram, Failure> {
    let rules = NEEDED.iter().map(|&call| (call, Vec::new())).collect();
    program(rules, SeccompAction::Errno(libc::EPERM.unsigned_abs()), SeccompAction::Allow)
}

fn writing(argument: u8) -> Result<Vec<SeccompRule>, Failure> {
    let modes = [(libc::O_ACCMODE, libc::O_WRONLY), (libc::O_ACCMODE, libc::O_RDWR), (libc::O_CREAT, libc::O_CREAT)];
    modes.into_iter().map(|(mask, value)| flag(argument, mask, value)).collect()
}

fn flag(argument: u8, mask: libc::c_int, value: libc::c_int) -> Result<SeccompRule, Failure> {
    let [mask, value] = [mask, value].map(|bits| u64::from(bits.unsigned_abs()));
    Ok(SeccompRule::new(vec![SeccompCondition::new(argument, Dword, MaskedEq(mask), value)?])?)
}

fn program(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    matching: SeccompAction,
) -> Result<BpfProgram, Failure> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    Ok(SeccompFilter::new(rules, otherwise, matching, architecture)?.try_into()?)
}

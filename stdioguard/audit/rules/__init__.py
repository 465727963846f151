"""The rules, one a file. To add one, write its file and its page in `docs/rules/`, and name it here: no other place knows them all."""

from __future__ import annotations

from stdioguard.audit.rules import (
    approvals_turned_off,
    archived_package,
    auto_approved_tools,
    broad_extension_folder,
    broad_folder,
    broken_guard,
    broken_profile,
    certificates_unchecked,
    changed_since_wrapped,
    checks_turned_off,
    client_without_expiry,
    committed_secret,
    confusable_server_name,
    container_host_namespace,
    container_mount,
    container_socket,
    custom_registry,
    debug_port,
    default_profile,
    degraded_guard,
    deno_permissions,
    dependency_confusion,
    download_and_run,
    duplicate_key,
    elevated_command,
    extension_entry_point,
    foreign_config,
    headers_helper,
    hidden_code,
    inline_code,
    insecure_download,
    install_scripts,
    loader_variable,
    lookalike_package,
    malicious_package,
    missing_program,
    mutable_version,
    odd_remote_address,
    open_state_folder,
    open_token_file,
    orphaned_server,
    outdated_manifest,
    plain_http_remote,
    plaintext_secret,
    preapproved_project_servers,
    privileged_container,
    project_autostart,
    project_hooks,
    public_listener,
    readable_secret,
    relative_command,
    remote_code,
    running_as_root,
    running_unguarded,
    sandbox_turned_off,
    secret_address,
    secret_argument,
    setuid_program,
    several_versions,
    shadowed_server,
    shell_line,
    temporary_program,
    unguarded_server,
    unknown_secret,
    unpinned_git,
    unpinned_package,
    unprotected_extension_setting,
    unsafe_browser,
    unsafe_bundle,
    unsafe_path_entry,
    unsigned_extension,
    vulnerable_package,
    wide_profile,
    writable_config,
    writable_program,
)

_PACKAGES = (
    archived_package, custom_registry, dependency_confusion, insecure_download, install_scripts, lookalike_package, malicious_package,
    mutable_version, remote_code, unpinned_git, unpinned_package, vulnerable_package,
)  # fmt: skip
_COMMANDS = (
    broad_folder, certificates_unchecked, checks_turned_off, container_host_namespace, container_mount, container_socket, debug_port,
    deno_permissions, download_and_run, elevated_command, hidden_code, inline_code, loader_variable, privileged_container, relative_command,
    shell_line, unsafe_browser,
)  # fmt: skip
_SECRETS = (committed_secret, plaintext_secret, readable_secret, secret_address, secret_argument, unknown_secret)
_OWN = (
    broken_guard, broken_profile, changed_since_wrapped, client_without_expiry, default_profile, degraded_guard,
    open_state_folder, open_token_file, unguarded_server, wide_profile,
)  # fmt: skip
_FILES = (
    foreign_config, missing_program, setuid_program, temporary_program, unsafe_path_entry, writable_config, writable_program,
)  # fmt: skip
_CLIENTS = (
    approvals_turned_off, auto_approved_tools, confusable_server_name, duplicate_key, headers_helper, odd_remote_address,
    plain_http_remote, preapproved_project_servers, project_autostart, project_hooks, sandbox_turned_off, shadowed_server,
)  # fmt: skip
_RUNNING = (
    orphaned_server, public_listener, running_as_root, running_unguarded, several_versions,
)  # fmt: skip
_EXTENSIONS = (
    broad_extension_folder, extension_entry_point, outdated_manifest, unprotected_extension_setting, unsafe_bundle,
    unsigned_extension,
)  # fmt: skip

RULES = tuple(module.RULE for module in (*_PACKAGES, *_COMMANDS, *_SECRETS, *_OWN, *_FILES, *_CLIENTS, *_RUNNING, *_EXTENSIONS))
"""Every rule, in the order of the documentation. Those of `--probe` are in `surfaces`, which starts what it looks at."""

"""Access to the machine and operating system: files, memory, threads, processes."""

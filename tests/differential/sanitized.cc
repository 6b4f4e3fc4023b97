/* SPDX-License-Identifier: Apache-2.0 */
/* Built with a sanitizer and traced: threads, files, a child, an exception. */
#include <cstdio>
#include <fcntl.h>
#include <mutex>
#include <stdexcept>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

int main()
{
	std::vector<std::thread> threads;
	std::mutex lock;
	int sum = 0;

	for (int i = 0; i < 8; i++)
		threads.emplace_back([&, i] {
			for (int k = 0; k < 50; k++) {
				int fd = open("/dev/null", O_RDONLY);
				std::lock_guard<std::mutex> g(lock);

				sum += i;
				close(fd);
			}
		});
	for (auto &t : threads)
		t.join();
	try {
		throw std::runtime_error("caught");
	} catch (std::exception &e) {
		puts(e.what());
	}
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		_exit(7);
	int status = 0;
	waitpid(pid, &status, 0);
	printf("%d %d\n", sum, WEXITSTATUS(status));
	return 5;
}

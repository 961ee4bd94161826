"""What every package may use: errors, checks, keys, compiling, files, threads, processes, progress, versions.

It knows nothing of images, and imports no other package.
"""

"""HOST: one file for each library that trains with images, each with what goes into its scripts in one line.

Each is imported by its own name, such as ``ipmix.integrations.albumentations``, and needs that library only.
"""

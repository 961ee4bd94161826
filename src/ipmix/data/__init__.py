"""Where images come from: data sets, files, arrays; uint8, never augmented.

It knows neither models nor what the images are for.
"""

"""Does this function do its sentence?"""

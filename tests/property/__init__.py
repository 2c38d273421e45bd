"""Do the laws hold, and do the references agree, for any commands?"""
